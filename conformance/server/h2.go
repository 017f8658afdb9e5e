package server

func (t *T) speaksH2() bool { return false }
