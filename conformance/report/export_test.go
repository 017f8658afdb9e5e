package report

import "testing"

// SetMatrixLimit is MatrixLimit for one test.
func SetMatrixLimit(t *testing.T, limit int) {
	matrixLimit = limit
	t.Cleanup(func() { matrixLimit = MatrixLimit })
}
