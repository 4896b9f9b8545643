package config

// Limits is the [limits] section: bounds that hold for every service alike.
type Limits struct {
	Connections          int      `toml:"connections" default:"4096" min:"1" max:"1000000" doc:"The most connections that one service holds open, of all clients together."`
	ConnectionsPerClient int      `toml:"connections-per-client" default:"64" min:"1" max:"1000000" doc:"The most connections that one service holds open for one client, which is an IPv4 address or an IPv6 /64; those of an IPv6 /48 have four times as many together. Clients on this machine are exempt."`
	RequestsPerSecond    int      `toml:"requests-per-second" default:"1000" min:"1" max:"1000000" doc:"How many requests or datagrams of one client a service answers each second. Clients on this machine are exempt. For DNS over UDP dns.rate-limit stands in its place, unless that is 0."`
	FailedLogins         int      `toml:"failed-logins" default:"5" min:"1" max:"1000" doc:"How many failed logins of a client cost it nothing. Each further one makes its next try wait, longer each time."`
	LoginDelay           Duration `toml:"login-delay" default:"2m" min:"1s" max:"1h" doc:"The longest such wait."`
	StopTimeout          Duration `toml:"stop-timeout" default:"10s" min:"0s" max:"1h" doc:"How long a stop waits for what is under way before it breaks off."`
}

func (c *checker) limits() {
	if c.Limits.ConnectionsPerClient > c.Limits.Connections {
		path := "limits/connections-per-client"
		if _, ok := c.where[path]; !ok {
			path = "limits/connections"
		}
		c.fail(path, "", "connections-per-client (%d) is more than connections (%d)", c.Limits.ConnectionsPerClient, c.Limits.Connections)
	}
}
