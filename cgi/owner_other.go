//go:build !unix

package cgi

import (
	"io/fs"
	"os"
)

func ownedAlone(_, path string, _ bool) (fs.FileInfo, error) { return os.Lstat(path) }

func limitOf(*os.ProcessState) string { return "" }
