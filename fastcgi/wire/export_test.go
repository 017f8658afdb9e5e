package wire

var AppendLength = appendLength
