// Package realtest holds nothing but tests: the program gangway, as it is built for a user, before and behind programs
// that nobody here wrote. Begin with main_test.go, which starts it.
package realtest
