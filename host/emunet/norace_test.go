//go:build !race

package emunet

const raceDetector = false
