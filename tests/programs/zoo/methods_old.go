//go:build go1.23 && !go1.27

package main

func methods() {}
