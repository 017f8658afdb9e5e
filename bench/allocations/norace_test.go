//go:build !race

package allocations_test

const lostByRaceDetector = 0
