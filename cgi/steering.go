package cgi

import (
	"os"
	"slices"
	"strings"
)

// steering are the variables that say whose code runs in a program, or where it looks for its files: what glibc ignores
// in a setuid program, and what sudo keeps from programs, as far as scripts and their interpreters know it.
var steering = strings.Fields(`PATH HOME TMPDIR ENV IFS CDPATH GLOBIGNORE PS4 SHELLOPTS ZDOTDIR FPATH
	GCONV_PATH GETCONF_DIR HOSTALIASES LOCALDOMAIN LOCPATH NIS_PATH NLSPATH PATH_LOCALE RESOLV_HOST_CONF RES_OPTIONS TZDIR
	SHLIB_PATH LIBPATH
	JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS NODE_OPTIONS NODE_PATH PHPRC PHP_INI_SCAN_DIR
	OPENSSL_CONF OPENSSL_ENGINES OPENSSL_MODULES`)

// steeringPrefixes are how more of them begin.
var steeringPrefixes = strings.Fields(`LD_ LDR_ _RLD DYLD_ GLIBC_ MALLOC_ BASH PERL PYTHON RUBY LUA_ XDG_ KRB5`)

func steers(name string) bool {
	return slices.Contains(steering, name) ||
		slices.ContainsFunc(steeringPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// confined reports whether scripts may be kept from files of ours, such as that of a body.
func (s *Script) confined() bool { return s.asAnother() || s.Sandbox.Profile != "" }

// asAnother reports whether scripts run as somebody else than us, or some of them.
func (s *Script) asAnother() bool {
	user := s.confinement.user
	return s.byOwner() || user != nil && int(user.UID) != os.Geteuid()
}
