// Loads a Compose file as `docker compose` does, references between its parts included, and looks whether what it mounts
// from beside it is there.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func main() {
	options, err := cli.NewProjectOptions(os.Args[1:])
	if err != nil {
		end(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		end(err)
	}
	for name, service := range project.Services {
		for _, mount := range service.Volumes {
			if mount.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(mount.Source); err != nil {
				end(fmt.Errorf("service %s: %w", name, err))
			}
		}
	}
	fmt.Printf("%d services, %d volumes: no fault\n", len(project.Services), len(project.Volumes))
}

func end(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
