//go:build !go1.22

package main

import "go/types"

// There is no type for an alias yet.
func unalias(t types.Type) types.Type { return t }
