//go:build race

package emunet

// raceDetector says whether the tests look for races: then some have fewer runs.
const raceDetector = true
