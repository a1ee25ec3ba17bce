package server

import (
	"github.com/lighterage/lighterage/internal/certificate"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
)

// check looks for what would end the start later, when directories and files
// have been made. It makes nothing and asks nobody. Its errors are
// *config.Error and *StoreError.
func check(c config.Config, l Launch) error {
	if err := config.CheckRootCredentials(l.Environ); err != nil {
		return err
	}
	if _, err := newAddresses(c); err != nil {
		return err
	}
	if _, err := webIdentities(Parts{Config: c, Clock: l.Clock}); err != nil {
		return err
	}
	if err := checkTLS(c, l); err != nil {
		return err
	}
	if c.Database.Scheme == "postgres" {
		if err := sqlstore.CheckPostgres(c.Database.URL.Reveal()); err != nil {
			return c.Fault("database", err)
		}
	}
	dirs := directories(c)
	if c.Audit.Scheme == "file" {
		dirs = append(dirs, c.Audit.Path)
	}
	for _, dir := range dirs {
		if err := config.CheckDirectory(dir); err != nil {
			return &StoreError{err}
		}
	}
	return nil
}

func checkTLS(c config.Config, l Launch) error {
	switch c.TLS {
	case config.SelfSignedTLS:
		for _, h := range c.TLSHosts {
			if err := certificate.CheckHost(h); err != nil {
				return c.Fault("tls-host", err)
			}
		}
	case config.ACMETLS:
		_, err := newACME(c, l.Clock, l.Logger)
		return err
	}
	return nil
}
