package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNetcat(t *testing.T) {
	t.Parallel()
	nc := foreign(t, "nc")
	in := serve(t, "a.test")
	if out, code := ask(t, "hello\nworld\n", nc, "-N", in.address, "20000"); out != "HELLO\nWORLD\n" || code != 0 {
		t.Errorf("TCP: %q, exit code %d", out, code)
	}
	if out, _ := ask(t, "hello", nc, "-u", "-w", "1", in.address, "20000"); out != "HELLO" {
		t.Errorf("UDP: %q", out)
	}
	request := "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
	if out, _ := ask(t, request, nc, "-w", "5", in.address, "8080"); !strings.HasPrefix(out, "HTTP/1.1 200 OK\r\n") {
		t.Errorf("HTTP by hand: %q", out)
	}
}

// The textbook's clients (Computer Networking, section 2.7), in its Python, with the server's address handed in.
const (
	udpClient = `
import sys
from socket import *
serverName, serverPort = sys.argv[1], 20000
clientSocket = socket(AF_INET, SOCK_DGRAM)
clientSocket.settimeout(5)
message = sys.stdin.readline().rstrip('\n')
clientSocket.sendto(message.encode(), (serverName, serverPort))
modifiedMessage, serverAddress = clientSocket.recvfrom(2048)
print(modifiedMessage.decode())
clientSocket.close()
`
	tcpClient = `
import sys
from socket import *
serverName, serverPort = sys.argv[1], 20000
clientSocket = socket(AF_INET, SOCK_STREAM)
clientSocket.settimeout(5)
clientSocket.connect((serverName, serverPort))
sentence = sys.stdin.readline().rstrip('\n')
clientSocket.send(sentence.encode())
modifiedSentence = clientSocket.recv(1024)
print('From Server: ', modifiedSentence.decode())
clientSocket.close()
`
)

func TestTextbookClients(t *testing.T) {
	t.Parallel()
	python := foreign(t, "python3")
	in := serve(t, "a.test")
	for name, c := range map[string]struct{ program, want string }{
		"udp.py": {udpClient, "HELLO, WÖRLD\n"}, "tcp.py": {tcpClient, "From Server:  HELLO, WÖRLD\n"},
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(c.program), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, code := ask(t, "hello, wörld\n", python, path, in.address); out != c.want || code != 0 {
			t.Errorf("%s: %q, exit code %d", name, out, code)
		}
	}
}

// The textbook's servers, for our client.
const (
	udpServer = `
import sys
from socket import *
serverSocket = socket(AF_INET, SOCK_DGRAM)
serverSocket.bind((sys.argv[1], 21001))
print('ready', flush=True)
while True:
    message, clientAddress = serverSocket.recvfrom(2048)
    serverSocket.sendto(message.decode().upper().encode(), clientAddress)
`
	tcpServer = `
import sys
from socket import *
serverSocket = socket(AF_INET, SOCK_STREAM)
serverSocket.bind((sys.argv[1], 21002))
serverSocket.listen(1)
print('ready', flush=True)
while True:
    connectionSocket, addr = serverSocket.accept()
    sentence = connectionSocket.recv(1024).decode()
    connectionSocket.send(sentence.upper().encode())
    connectionSocket.close()
`
)

func TestTextbookServers(t *testing.T) {
	t.Parallel()
	python := foreign(t, "python3")
	in := newInstance(t, "a.test")
	for _, c := range []struct{ program, port, flag string }{{udpServer, "21001", "--udp"}, {tcpServer, "21002", "--udp=false"}} {
		background(t, python, "-c", c.program, in.address)
		if out, err := in.run("hello\n", "upper", c.flag, in.address+":"+c.port); out != "HELLO\n" || err != nil {
			t.Errorf("upper %s: %q, %v", c.flag, out, err)
		}
	}
}
