package server

// ListenError is listenError, for systems that the tests do not run on.
var ListenError = listenError
