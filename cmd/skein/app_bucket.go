package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/im"
)

// bucketFlags are the flags of skein app bucket.
type bucketFlags struct{ remove, identity *bool }

func newBucketFlags(flags *flag.FlagSet) bucketFlags {
	return bucketFlags{
		remove:   flags.Bool("remove", false, "With bucket: new files go to the server's own store again."),
		identity: flags.Bool("server-identity", false, "With bucket: the servers are there whoever their own environment or machine says. Without it the credentials are those of this command's environment, and are kept sealed."),
	}
}

func (f bucketFlags) given() bool { return *f.remove || *f.identity }

// changeBucket sets where new files of an app go, if it is given, and prints it.
func changeBucket(ctx context.Context, cfg *config.Config, d *db.DB, a *auth.Auth, app im.AppID, bucket string, f bucketFlags, stdout io.Writer) error {
	if *f.remove && (bucket != "" || *f.identity) || *f.identity && bucket == "" {
		return errors.New("--remove goes without a URL, and --server-identity with one")
	}
	if _, err := a.FindApp(ctx, app); err != nil {
		return withHint(err)
	}
	if err := d.Migrate(ctx, "file", file.Migrations()); err != nil {
		return err
	}
	key, err := masterKey(cfg, im.SystemEntropy())
	if err != nil {
		return err
	}
	stores := newStores(d, cfg, nil, key, nil)
	if bucket != "" || *f.remove {
		var who file.Login
		if bucket != "" && !*f.identity {
			if who, err = loginFor(bucket); err != nil {
				return err
			}
		}
		within, cancel := context.WithTimeout(ctx, bucketTimeout)
		defer cancel()
		if err := stores.SetBucket(within, app, bucket, who); err != nil {
			return withHint(err)
		}
	}
	b, err := stores.Bucket(ctx, app)
	if err != nil {
		return err
	}
	if b.URL == "" {
		b.URL = "the server's own store"
	}
	encrypted := "no"
	if b.Encrypted {
		encrypted = "yes"
	}
	_, err = fmt.Fprintf(stdout, "bucket:    %s\nencrypted: %s\nelsewhere: %d other places have files of the app\n", b.URL, encrypted, b.Elsewhere)
	return err
}

// loginFor takes the credentials for a bucket from the environment, by the
// names that the tools of its cloud have for them.
func loginFor(bucket string) (who file.Login, err error) {
	u, err := url.Parse(bucket)
	if err != nil {
		return who, errors.New("the bucket is not a URL")
	}
	names := map[string]string{"s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "azure": "AZURE_STORAGE_KEY", "gs": "GOOGLE_APPLICATION_CREDENTIALS"}[u.Scheme]
	switch u.Scheme {
	case "s3":
		who = file.Login{ID: os.Getenv("AWS_ACCESS_KEY_ID"), Secret: os.Getenv("AWS_SECRET_ACCESS_KEY")}
	case "azure":
		who.Secret = os.Getenv("AZURE_STORAGE_KEY")
	case "gs":
		if path := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"); path != "" {
			b, err := os.ReadFile(path)
			if err != nil {
				return who, err
			}
			who.Secret = string(b)
		}
	default:
		return who, nil // which is refused with what a bucket's URL is
	}
	if who.Secret == "" || u.Scheme == "s3" && who.ID == "" {
		return who, fmt.Errorf("there are no credentials for the bucket: set %s for this command, or say --server-identity when the servers may go there as who they are", names)
	}
	return who, nil
}
