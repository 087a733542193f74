// Package rosetta stands in for one that no registry serves, and that knows Apple's processors alone.
package rosetta

// Enabled says whether programs are translated on macOS, which the toolchain does not build for.
func Enabled() bool { return false }
