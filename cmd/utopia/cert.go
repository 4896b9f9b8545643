package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/internal/control"
)

func newCert(s *session) *cobra.Command {
	c := &cobra.Command{Use: "cert", Short: "The certificates of this domain"}
	c.AddCommand(newCertRoot(s))
	return c
}

func newCertRoot(s *session) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "root",
		Short: "Print the root certificate of the local authority",
		Long: `Names that are not public, such as those under .test, get their certificates from an authority of this
folder's own. Root prints its root certificate in PEM. A program that is given it trusts this domain's servers;
it vouches for no other names.`,
		Example: `  utopia cert root > root.pem
  curl --cacert root.pem https://www.networkutopia.test:8443/ --resolve www.networkutopia.test:8443:127.0.0.1`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.admin(c.Context(), func(a control.Admin) error {
				root, err := a.RootCertificate(c.Context())
				if err != nil {
					return err
				}
				if file != "" {
					if err := os.WriteFile(file, []byte(root.PEM), 0o644); err != nil {
						return fmt.Errorf("write the root certificate: %w", err)
					}
					if s.json {
						s.printJSON(map[string]string{"file": file})
					}
					return nil
				}
				if s.json {
					s.printJSON(root)
					return nil
				}
				s.print("%s", root.PEM)
				return nil
			})
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "write it to this file")
	return c
}
