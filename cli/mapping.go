package cli

import (
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/adapters/open"
)

// mappings are what the flags say that divide the path and may be for one of --mount, by the names of the flags.
type mappings map[string]perApp[string]

// mountMappingFlags are those flags.
func mountMappingFlags() []cli.Flag {
	const category = "Path and script"
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "root", Category: category, Usage: "`DIR` of the scripts as the application sees it"},
		&cli.StringSliceFlag{Name: "local-root", Category: category, Usage: "`DIR`, the same folder as gangway sees it " +
			"(default: that of --root)"},
		&cli.StringSliceFlag{Name: "script", Category: category, Usage: "one `FILE` for every request"},
		&cli.StringSliceFlag{Name: "fallback", Category: category, Usage: "`FILE` beneath --root for every request that is " +
			"for no file, script or folder with an index"},
	}
}

// readMappings reads the flags of the application and of the mounts beside it.
func readMappings(c *cli.Context, mounts []mount) (mappings, error) {
	m := mappings{}
	for _, flag := range mountMappingFlags() {
		name := flag.Names()[0]
		values, err := readPerApp(c, mounts, name, "", func(v string) (string, bool) { return v, true })
		if err != nil {
			return nil, err
		}
		m[name] = values
	}
	return m, nil
}

// apply sets what the flags say of the application at [HOST]/PREFIX; "" is the one that is not mounted.
func (m mappings) apply(where string, o *open.AppOptions) {
	o.Root, o.LocalRoot = m["root"][where], m["local-root"][where]
	o.Script, o.Fallback = m["script"][where], m["fallback"][where]
}

// unmounted returns a flag that says something of the application that is not mounted, or "".
func (m mappings) unmounted() string {
	for flag, values := range m {
		if values[""] != "" {
			return flag
		}
	}
	return ""
}

// addMapping adds all flags that divide the path, for an application that is not mounted.
func addMapping(c *cli.Context, m mappings, o *open.AppOptions) {
	m.apply("", o)
	o.Prefix, o.Static = c.String("prefix"), c.Bool("static")
	if c.IsSet("index") {
		o.Index = c.StringSlice("index")
	}
	for _, ext := range c.StringSlice("ext") {
		o.Ext = append(o.Ext, "."+strings.TrimPrefix(ext, "."))
	}
}
