package tested

import (
	"os"
	"testing"
)

func TestDouble(t *testing.T) {
	got := Double(21)
	if got != 42 {
		t.Fatal(got)
	}
	folder, _ := os.Getwd()
	t.Log("in", folder) // @logged
}

func TestOther(t *testing.T) {
	if Double(1) != 2 {
		t.Fatal("no")
	}
}
