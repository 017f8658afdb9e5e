package main

var servers []peer
var scripts []peer
