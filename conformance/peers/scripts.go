package main

var scripts []peer
