// Package arch holds nothing but tests of the source of this module: which package may import which
// (arch_test.go, begin there to add a package) and how long functions and files may be (size_test.go).
package arch
