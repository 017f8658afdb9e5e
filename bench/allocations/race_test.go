//go:build race

package allocations_test

// lostByRaceDetector is how many allocations come on top because the race detector has sync.Pool forget at random.
const lostByRaceDetector = 6
