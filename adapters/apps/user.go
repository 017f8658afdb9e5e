package apps

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/internal/sandbox"
)

// user returns who the processes of the application run as; nil is who we are.
func (a *App) user(name string) (*sandbox.User, error) {
	switch {
	case name == cgi.Self, name == "" && !sandbox.Root():
		return nil, nil
	case name == "" || name == cgi.Owner:
		info, err := os.Stat(a.Dir)
		if err != nil {
			return nil, err
		}
		owner, err := sandbox.Owner(info)
		switch {
		case err != nil || owner.UID != 0:
			return checked(owner, err)
		case name == cgi.Owner && a.Kind != CGI && a.Kind != Static: // programs and files have owners of their own
			return nil, fmt.Errorf("%s belongs to root: name the user that runs its application (--user)", a.Dir)
		}
		return nil, nil
	}
	return checked(sandbox.LookupUser(name))
}

// become has cmd run as the user of the application.
func (a *App) become(cmd *exec.Cmd) error {
	if a.runsAs == nil {
		return nil
	}
	return a.runsAs.Set(cmd)
}

// checked returns the user, unless we cannot become it.
func checked(user *sandbox.User, err error) (*sandbox.User, error) {
	if err == nil {
		err = user.Apply(new(syscall.SysProcAttr))
	}
	return user, err
}
