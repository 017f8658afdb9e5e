// Package cli is the command gangway: serve, bridge, call, conform and version. Begin with [Main].
//
// Exit codes: 0 is success, 1 that something could not be started or was cut, 2 a wrong command line; call and conform
// have more of them. An error is one line on standard error that says what is wrong and what to do.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/conformance/server"
)

// The exit codes. Those from exitNoConnection on are those of call.
const (
	exitFailure = 1 + iota
	exitUsage
	exitNoConnection
	exitClientError // 4xx
	exitServerError // 5xx
	exitProtocol    // a fault of the protocol, or a truncated answer
	exitTimeout
)

// Main runs the command line of this process and returns its exit code.
func Main() int {
	server.Probe() // if it is one, this process ends here
	return run(os.Args, streams{os.Stdin, os.Stdout, os.Stderr})
}

// streams are the standard streams of a process.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// A failure is an error with an exit code. Without Err there is nothing to say but the code.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// usage returns the failure of a wrong command line.
func usage(format string, args ...any) error {
	return &failure{exitUsage, fmt.Errorf(format, args...)}
}

// codeOf returns the exit code for err.
func codeOf(err error) int {
	var f *failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		return f.code
	case errors.Is(err, open.ErrAddress), errors.Is(err, open.ErrOption):
		return exitUsage
	}
	return exitFailure
}

func run(args []string, std streams) int {
	if len(args) == 3 && slices.Contains(helpWords, args[1]) && args[2] == "limits" {
		return codeOf(printLimits(std.out))
	}
	args, command, err := arrangeAll(newApp(std), args)
	if err == nil {
		err = newApp(std).Run(args)
	}
	if err != nil && err.Error() != "" {
		fmt.Fprintf(std.err, "gangway: %s%s\n", command, oneLine(err.Error()))
	}
	return codeOf(err)
}

// oneLine joins the lines of a message, which may quote an application.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

func newApp(std streams) *cli.App {
	return &cli.App{
		Name:  "gangway",
		Usage: "carries requests between HTTP servers and CGI, FastCGI, SCGI, HTTP and in-process applications",
		Description: "gangway serve examples/site\n" +
			"gangway bridge --from http://127.0.0.1:8000 --to fcgi+unix:///run/php/php-fpm.sock --root /srv/www\n" +
			"gangway call fcgi://127.0.0.1:9000 /index.php --root /srv/www --include\n\n" +
			`"gangway help COMMAND" explains a command, "gangway help limits" the limits.`,
		Writer:                    std.out,
		ErrWriter:                 std.err,
		HideVersion:               true,
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              usageError,
		CommandNotFound:           nil,
		Commands: []*cli.Command{
			serveCommand(std), bridgeCommand(std), callCommand(std), conformCommand(std), versionCommand(std),
		},
	}
}

// usageError keeps cli from printing the help, and writes flags as people do. The values that cli parses itself are
// times, --jobs and --pid, and the boolean ones that it calls so.
func usageError(_ *cli.Context, err error, _ bool) error {
	text := strings.NewReplacer(" for flag -", " for --", " for -", " for --").Replace(err.Error())
	if what, ok := strings.CutSuffix(text, ": parse error"); ok && strings.HasPrefix(text, "invalid value") {
		text = what + ": write a time such as 30s or 2m"
		if strings.HasSuffix(what, "--jobs") || strings.HasSuffix(what, "--pid") {
			text = what + ": write a number"
		}
	}
	return usage("%s", text)
}

// arrangeAll prepares the arguments of the whole command line. It also returns what messages begin with.
func arrangeAll(app *cli.App, args []string) (arranged []string, command string, err error) {
	if len(args) < 2 {
		return nil, "", usage(`which command? There are serve, bridge, call, conform and version; ` +
			`"gangway help" explains them`)
	}
	name := args[1]
	known := func(name string) int {
		return slices.IndexFunc(app.Commands, func(c *cli.Command) bool { return c.Name == name })
	}
	switch {
	case slices.Contains(helpWords, name):
		if len(args) == 2 {
			return args, "", nil
		}
		if i := known(args[2]); i >= 0 {
			return helpOf(app.Commands[i], args), "", nil
		}
		name = args[2]
	case slices.Contains([]string{"--version", "-v", "-version"}, name):
		name = "version"
	case strings.HasPrefix(name, "-"):
		return nil, "", usage(`the command comes first, then its flags such as %s; "gangway help" lists the commands`, name)
	}
	i := known(name)
	if i < 0 {
		return nil, "", usage(`unknown command %q. %s"gangway help" lists all`, name,
			suggested("%q", namesOf(app.Commands), name))
	}
	c := app.Commands[i]
	path, rest := args[:2:2], args[2:]
	path[1] = name
	if len(c.Subcommands) > 0 {
		if len(rest) == 0 || slices.Contains(helpWords, rest[0]) {
			return []string{args[0], "help", name}, "", nil
		}
		// The last one may be written as a flag: gangway conform --list.
		word := strings.TrimPrefix(rest[0], "--")
		sub := slices.IndexFunc(c.Subcommands, func(c *cli.Command) bool { return c.Name == word })
		if sub < 0 {
			return nil, "", usage(`%s: unknown command %q. %s"gangway help %[1]s" lists all`, name, rest[0],
				suggested("%q", namesOf(c.Subcommands), rest[0]))
		}
		c = c.Subcommands[sub]
		path, rest = append(path, c.Name), rest[1:]
	}
	command = strings.Join(path[1:], " ")
	rest, err = arrange(c, command, rest)
	return append(path, rest...), command + ": ", err
}

// helpOf returns the arguments that get the help of a command or of one of its own commands.
func helpOf(c *cli.Command, args []string) []string {
	if len(args) > 3 && slices.ContainsFunc(c.Subcommands, func(c *cli.Command) bool { return c.Name == args[3] }) {
		return []string{args[0], c.Name, args[3], "--help"}
	}
	return args
}

var helpWords = []string{"help", "h", "--help", "-h", "-help"}

// namesOf returns the names of commands.
func namesOf(commands []*cli.Command) []string {
	names := []string{"help"}
	for _, c := range commands {
		names = append(names, c.Name)
	}
	return names
}

// arrange returns the arguments of a command with the flags in front, which cli demands and people do not do. It
// refuses flags that the command, which is called so, does not have, and those given twice that are to be given once.
func arrange(command *cli.Command, called string, args []string) ([]string, error) {
	var flags, others []string
	seen := map[string]bool{}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			others = append(others, args...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			if others = append(others, arg); command.Name == "bridge" && fromWebServer() {
				break
			}
			continue
		}
		name, _, whole := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if name == "help" || name == "h" {
			return []string{"--help"}, nil
		}
		flag, names := findFlag(command, name)
		if flag == nil {
			return nil, usage(`unknown flag %s. %s"gangway help %s" lists all`,
				"--"[:min(len(name), 2)]+name, suggested("--%s", names, name), called)
		}
		if flags = append(flags, arg); flag.TakesValue() && !whole {
			if len(args) == 0 || isFlag(command, args[0]) {
				return nil, usage("--%s needs a value", name)
			}
			flags, args = append(flags, args[0]), args[1:]
		}
		if seen[name] && !repeats(flag) {
			return nil, usage("--%s is given twice", name)
		}
		seen[name] = true
	}
	return append(append(flags, "--"), others...), nil
}

// fromWebServer reports whether a web server runs this process, or a program that has started it, as a CGI program.
// Then what follows the first argument of bridge that is no flag may be words of the query (RFC 3875 4.4), and must not
// become flags; bridge itself takes no arguments.
func fromWebServer() bool { return os.Getenv("GATEWAY_INTERFACE") != "" }

// findFlag returns the flag of that name, nil if there is none, and the names that there are.
func findFlag(command *cli.Command, name string) (flag cli.DocGenerationFlag, names []string) {
	for _, f := range command.Flags {
		if slices.Contains(f.Names(), name) {
			return f.(cli.DocGenerationFlag), nil
		}
		names = append(names, f.Names()[0])
	}
	return nil, names
}

// isFlag reports whether arg, which stands where a value should, is a flag of the command.
func isFlag(command *cli.Command, arg string) bool {
	name, ok := strings.CutPrefix(arg, "--")
	name, _, _ = strings.Cut(name, "=")
	flag, _ := findFlag(command, name)
	return ok && flag != nil
}

func repeats(flag cli.Flag) bool {
	slice, ok := flag.(cli.DocGenerationSliceFlag)
	return ok && slice.IsSliceFlag()
}
