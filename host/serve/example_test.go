package serve_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/network-utopia/utopia/host/serve"
)

// shouting is a session that answers each line in upper case.
type shouting struct {
	loop  *serve.Loop
	conn  net.Conn
	lines int
}

func (s *shouting) Run() {
	in := bufio.NewReader(s.conn)
	for s.loop.Await(s.conn, time.Minute) == nil {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		s.lines++
		fmt.Fprint(s.conn, strings.ToUpper(line))
	}
}

func (s *shouting) End() { fmt.Println(s.lines, "line") }

func Example() {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // a room of a house takes it from its Host
	if err != nil {
		fmt.Println(err)
		return
	}
	loop := serve.New(serve.Options{MaxConns: 10})
	ended := make(chan error)
	go func() {
		ended <- loop.Serve(listener, func(conn net.Conn) serve.Session { return &shouting{loop: loop, conn: conn} })
	}()

	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Fprintln(conn, "hello")
	answer, _ := bufio.NewReader(conn).ReadString('\n')
	fmt.Print(answer)

	fmt.Println(loop.Shutdown(context.Background()))
	fmt.Println(errors.Is(<-ended, serve.ErrClosed))
	// Output:
	// HELLO
	// 1 line
	// <nil>
	// true
}
