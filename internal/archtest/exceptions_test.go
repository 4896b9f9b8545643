package archtest

// exceptions are what the rules let pass, each with its reason.
var exceptions = struct {
	imports map[string]string // "from -> to"
	rights  map[string]string // "package: import/path.Name", "package: go" or "package: Skip"
	state   map[string]string // "package: variable"
	size    map[string]string // a file, "file: function" or a package
}{
	imports: map[string]string{},
	rights: map[string]string{
		"cmd/utopia: net.Resolver":           "the name of a service becomes a port by the system's own list: no socket is opened for that",
		"host/emunet: go":                    "the network itself: one goroutine lets happen what is due, as the kernel does for the other Host",
		"internal/listen: go":                "context.AfterFunc closes the connection of a check whose time is over: nothing else would end its read",
		"internal/leftout: os.Getenv":        "it is for tests alone: whether this machine may leave some out",
		"internal/guard: Skip":               "that of a rapid.T has it draw another action",
		"internal/state/store/storetest: go": "a conformance suite writes from several goroutines to see that it may",
		"internal/state/disk/disktest: go":   "the same",
	},
	state: map[string]string{},
	size:  map[string]string{},
}
