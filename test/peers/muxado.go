// muxado: both sides of tcp-relay, with the library that it was written for:
// muxado as it was in March 2014 (Debian's golang-github-inconshreveable-muxado-dev).
//
//	muxado serve RELAY [TARGET]     a server: each stream is echoed, or goes to TARGET
//	muxado greet RELAY              a server that closes each stream as soon as it has said "hello"
//	muxado relay CONTROL PUBLIC     a relay: one server at a time, whose clients come to PUBLIC
//
// A server prints the public address that it was told, and ends with its
// session. A relay prints the address of CONTROL, and goes on. How a
// session ends stands on standard error.
package main

import (
	"fmt"
	"io"
	"net"
	"os"

	"github.com/inconshreveable/muxado"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "muxado:", err)
		os.Exit(1)
	}
}

// toSocket passes a stream's end on, and whatever else ends it as a reset.
func toSocket(socket *net.TCPConn, stream muxado.Stream) error {
	_, err := io.Copy(socket, stream)
	if err != nil {
		socket.SetLinger(0)
		socket.Close()
		return err
	}
	return socket.CloseWrite()
}

// pass copies both ways until each has come to its end. The library cannot
// reset a stream: its Close ends our direction and forgets the other.
func pass(stream muxado.Stream, socket *net.TCPConn) {
	done := make(chan error, 1)
	go func() { done <- toSocket(socket, stream) }()
	_, err := io.Copy(stream, socket)
	if err == nil {
		_, err = stream.HalfClose(nil)
	}
	if err != nil {
		stream.Close()
	}
	<-done
	socket.Close()
}

func echo(stream muxado.Stream) {
	io.Copy(stream, stream)
	stream.Close()
}

func forward(target string) func(muxado.Stream) {
	return func(stream muxado.Stream) {
		socket, err := net.Dial("tcp", target)
		if err != nil {
			stream.Close()
			return
		}
		pass(stream, socket.(*net.TCPConn))
	}
}

func greet(stream muxado.Stream) {
	stream.Write([]byte("hello\n"))
	stream.Close()
}

func ended(session muxado.Session) {
	code, err, _ := session.Wait()
	fmt.Fprintf(os.Stderr, "ended code=%d error=%v\n", code, err)
}

func serve(relay string, each func(muxado.Stream)) {
	session, err := muxado.Dial("tcp", relay)
	check(err)
	first, err := session.Open()
	check(err)
	public, err := io.ReadAll(first)
	check(err)
	first.Close()
	fmt.Println(string(public))
	for {
		stream, err := session.Accept()
		if err != nil {
			break
		}
		go each(stream)
	}
	ended(session)
}

func takeClients(clients net.Listener, session muxado.Session) {
	for {
		socket, err := clients.Accept()
		if err != nil {
			return
		}
		stream, err := session.Open()
		if err != nil {
			socket.Close()
			return
		}
		go pass(stream, socket.(*net.TCPConn))
	}
}

func serveServer(session muxado.Session, public string) {
	clients, err := net.Listen("tcp", public)
	check(err)
	defer clients.Close()
	first, err := session.Accept()
	if err == nil {
		first.Write([]byte(public))
		first.Close()
		go takeClients(clients, session)
	}
	ended(session)
}

func relay(control, public string) {
	servers, err := muxado.Listen("tcp", control)
	check(err)
	fmt.Println(servers.Addr())
	for {
		session, err := servers.Accept()
		check(err)
		fmt.Fprintln(os.Stderr, "server", session.RemoteAddr())
		serveServer(session, public)
	}
}

func main() {
	words := os.Args[1:]
	switch {
	case len(words) == 2 && words[0] == "serve":
		serve(words[1], echo)
	case len(words) == 3 && words[0] == "serve":
		serve(words[1], forward(words[2]))
	case len(words) == 2 && words[0] == "greet":
		serve(words[1], greet)
	case len(words) == 3 && words[0] == "relay":
		relay(words[1], words[2])
	default:
		fmt.Fprintln(os.Stderr, "usage: muxado serve RELAY [TARGET] | greet RELAY | relay CONTROL PUBLIC")
		os.Exit(2)
	}
}
