package config

// Socket is the [socket] section.
type Socket struct {
	Enabled bool `toml:"enabled" default:"true" doc:"Whether the upper-case service runs."`
}
