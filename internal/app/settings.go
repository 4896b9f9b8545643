package app

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/service/dnssvc"
)

// ConfigFile is the name of the settings file.
const ConfigFile = config.FileName

// Problem is something wrong with the settings, or without effect in this version.
type Problem = config.Problem

// Problems are all that is wrong with a settings file.
type Problems = config.Problems

// Nearest returns the candidate that word was most likely meant to be; "" where none is near enough.
func Nearest(word string, candidates []string) string { return config.Nearest(word, candidates) }

// SettingsSchema returns the JSON schema of the settings file.
func SettingsSchema() map[string]any { return config.Schema() }

// SettingsReference describes every setting in Markdown, for docs/reference/configuration.md.
func SettingsReference() string {
	var b strings.Builder
	b.WriteString("# utopia.toml\n\nEvery setting of the one settings file. `utopia config reference` prints this page.\n\n")
	b.WriteString("## The instance\n\n" + referenceHead)
	sections := config.Sections()
	for _, f := range sections {
		if f.Kind != config.KindTable && f.Kind != config.KindTables {
			b.WriteString(referenceRow(f))
		}
	}
	for _, f := range sections {
		if f.Kind == config.KindTable || f.Kind == config.KindTables {
			b.WriteString(referenceSection(f))
		}
	}
	return b.String()
}

const referenceHead = "| key | holds | default | what it does |\n|---|---|---|---|\n"

func referenceSection(section config.Field) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## [%s]\n\n%s\n", section.Name, section.Doc)
	if section.Later != "" {
		fmt.Fprintf(&b, "\nThis version %s: the section is checked, and has no effect.\n", section.Later)
	}
	b.WriteString("\n" + referenceHead)
	for _, f := range section.Fields {
		b.WriteString(referenceRow(f))
		for _, key := range f.Fields { // of a table of names within the section
			b.WriteString(referenceRow(key))
		}
	}
	return b.String()
}

func referenceRow(f config.Field) string {
	holds := f.Type
	if len(f.Enum) > 0 {
		holds = strings.Join(f.Enum, ", ")
	}
	if f.Min != "" || f.Max != "" {
		holds += fmt.Sprintf(", %s to %s", f.Min, f.Max)
	}
	means := f.Doc
	if f.Later != "" {
		means += " This version " + f.Later + "."
	}
	if f.Example != "" {
		means += " For example `" + f.Example + "`."
	}
	fallback := ""
	if f.Default != "" {
		fallback = "`" + f.Default + "`"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", f.Path, holds, fallback, strings.ReplaceAll(means, "|", "\\|"))
}

// Settings are those of one file with the defaults filled in, as TOML and as JSON by the same keys.
type Settings interface {
	TOML() []byte
	MarshalJSON() ([]byte, error)
}

// LoadSettings reads a settings file.
func LoadSettings(path string) (Settings, error) { return loadFile(path) }

func loadFile(path string) (*config.Config, error) {
	cfg, err := config.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s", path)
	}
	return cfg, err
}

// CheckSettings reads a settings file and the files that it names, and returns what is without effect in it. What is
// wrong is the error.
func CheckSettings(path string) ([]Problem, error) {
	cfg, err := loadFile(path)
	if err != nil {
		return nil, err
	}
	if !cfg.DNS.Enabled {
		return cfg.Warnings, nil
	}
	opts, err := dnsOptions(cfg)
	if err != nil {
		return nil, err
	}
	names, err := dnssvc.New(opts)
	if err != nil {
		return nil, err
	}
	for _, f := range names.Failed() {
		err = errors.Join(err, f.Err)
	}
	if err != nil {
		return nil, err
	}
	warnings := slices.Clone(cfg.Warnings)
	for _, w := range names.Warnings() {
		warnings = append(warnings, zoneProblem(w))
	}
	return warnings, nil
}

// zoneProblem is a warning about the zone as one about the settings.
func zoneProblem(p zone.Problem) Problem {
	file := p.Pos.File
	if file == "" {
		file = "the zone"
	}
	return Problem{File: file, Line: p.Pos.Line, Column: p.Pos.Column, Message: p.Message()}
}
