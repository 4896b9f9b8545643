package config

import "path/filepath"

// Log is the [log] section.
type Log struct {
	Level      string `toml:"level" enum:"debug,info,warn,error" default:"info" doc:"The least weighty messages that are logged."`
	Format     string `toml:"format" enum:"text,json" default:"text" doc:"How a message is written: as text for people, or as one JSON object on a line."`
	Transcript string `toml:"transcript" is:"path" example:"data/transcript.jsonl" doc:"A file that every transcript is added to, as JSON lines. In data/ its name ends in .jsonl, apart from what else is kept there. Not given: none."`
}

func (c *checker) log() {
	const path = "log/transcript"
	if c.Log.Transcript == "" {
		return
	}
	if !c.unpublished(path, c.Log.Transcript, "the transcripts", "put it into data/ or beside utopia.toml") {
		return
	}
	switch {
	case c.Resolve(c.Log.Transcript) == c.Resolve(FileName):
		c.fail(path, "", "the transcripts would be written into this file")
	case within(c.Resolve(c.Log.Transcript), c.Resolve(DataDir)) && filepath.Ext(c.Log.Transcript) != ".jsonl":
		// Appended to the database, say, they would destroy it.
		c.fail(path, `give it a name such as "data/transcript.jsonl"`, "transcripts in data/ have a name that ends in .jsonl, unlike %s",
			quote(c.Log.Transcript))
	}
}
