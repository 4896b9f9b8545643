package batch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/host/batch"
)

// A server that answers every datagram in upper case.
func Example() {
	network, ctx := host.NewOS(host.OSOptions{}), context.Background()
	pc, err := network.ListenPacket(ctx, "udp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pc.Close()
	conn, err := batch.New(pc, batch.Options{Size: 32})
	if err != nil {
		fmt.Println(err)
		return
	}

	client, err := network.Dial(ctx, "udp", pc.LocalAddr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Fprint(client, "hello")

	err = conn.Serve(func(datagrams []batch.Datagram) {
		for i := range datagrams {
			d := &datagrams[i]
			if host.Answerable(d.Remote, d.Local) {
				d.Answer = append(d.Answer, bytes.ToUpper(d.Data)...)
			}
		}
		conn.Send()
		_ = pc.SetReadDeadline(time.Now()) // enough
	})
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		fmt.Println(err)
	}
	answer := make([]byte, 99)
	n, err := client.Read(answer)
	fmt.Println(string(answer[:n]), err)
	// Output: HELLO <nil>
}
