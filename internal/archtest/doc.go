// Package archtest holds the house to its plan: who may import whom, what only some packages may do, and the budgets
// for size, documentation and tests. All of it is tests; the table of layers is in layers_test.go, and every exception
// stands beside its reason in exceptions_test.go.
package archtest
