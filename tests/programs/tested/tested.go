// Package tested has a test, for the launch mode of that name.
package tested

// Double is what the test is about.
func Double(n int) int {
	return n * 2 // @double
}
