//go:build !unix || aix || solaris

package open

// lockFolder does nothing: there is no lock of a folder here.
func lockFolder(string) (unlock func()) { return func() {} }
