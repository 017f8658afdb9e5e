// Package adaptertest holds every frontend and backend to one list of behaviours.
//
// [App] is the reference application: as an in-process Handler, or behind any server. [Run] asks it through whatever
// Handler leads to it, a chain of adapters for instance, and checks what comes back. [Lint] watches the contract of
// package adapters at run time.
//
// A new backend is tested by running App behind a server of its protocol and Run on its client; a new frontend by
// running App behind it and Run on a client that reaches it.
package adaptertest
