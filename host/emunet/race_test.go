//go:build race

package emunet

// raceDetector says whether the tests look for races: then those that count, and not look, are left out.
const raceDetector = true
