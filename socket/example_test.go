package socket_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/socket"
)

func Example() {
	ctx := context.Background()
	network := host.NewOS(host.OSOptions{})
	listener, err := network.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := socket.NewServer(socket.Options{})
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()

	in := strings.NewReader("hello\ngrüezi\n")
	err = socket.Upper(ctx, network, "tcp", listener.Addr().String(), in, os.Stdout, socket.ClientOptions{})
	if err != nil {
		fmt.Println(err)
	}
	if err := server.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-done)
	// Output:
	// HELLO
	// GRÜEZI
	// socket: server closed
}

func ExampleAppendUpper() {
	fmt.Printf("%s\n", socket.AppendUpper(nil, []byte("straße nach österreich")))
	// Output: STRAßE NACH ÖSTERREICH
}

func ExampleConnect() {
	ctx := context.Background()
	network := host.NewOS(host.OSOptions{})
	listener, err := network.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		fmt.Fprint(conn, "220 mail.networkutopia.test\r\n")
		_, _ = bufio.NewReader(conn).ReadString('\n')
		_ = conn.Close()
		_ = listener.Close()
	}()
	typed := strings.NewReader("QUIT\n")
	err = socket.Connect(ctx, network, listener.Addr().String(), typed, os.Stdout, socket.ClientOptions{Terminal: true})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 220 mail.networkutopia.test
}
