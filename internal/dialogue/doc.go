// Package dialogue reads the questions and answers in dns/authority/testdata, makes the messages of the questions, and
// writes answers in the same words. The engine's own tests play them, and interop/ asks them of other name servers; the
// README.md beside them explains the form.
package dialogue
