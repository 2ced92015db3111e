// Package config is everything that can be set, in one struct with defaults
// under which the server starts on loopback without being told anything.
//
// An option comes from its flag, else from its environment variable, else from
// the file, else from its default. Its three names follow from its place:
// tls.acme.email in the file is --tls-acme-email and SKEIN_TLS_ACME_EMAIL. The
// comment on a field is the option's documentation: docs/reference/config.md,
// docs/reference/limits.md and the text of --help are generated from it, and a
// test fails when they are stale (go test ./internal/config -update).
//
// Nothing is guessed: an unknown name is an error that tells the nearest known
// one and, in a file, the line.
package config

import "time"

// Config holds every option. Load fills it.
type Config struct {
	// Listen is the address and port to serve on. Anything but loopback needs TLS, or a proxy in front that does TLS.
	Listen string `yaml:"listen"`
	// Data is the folder of everything that the server stores: the database (unless db is set), the secret key, certificates from ACME. It is made when it is missing.
	Data string `yaml:"data"`
	// DB is the URL of a PostgreSQL database, such as postgres://skein@db.internal/skein. It may name several hosts, postgres://skein@db1,db2/skein: the one that takes writes is used, and the next one after a failover (docs/ops/postgresql.md). Empty means SQLite in the data folder.
	DB string `yaml:"db"`
	// SecretKey is the key that seals the apps' secrets in the database: 32 bytes in base64 or hex. Empty means the file secret.key in the data folder, which is made on first use. Nodes of one cluster need the same key. There is no flag for it, because other users of a machine can see flags.
	SecretKey string `yaml:"secret_key" flag:"-" secret:"true"`
	// Dev is for trying out and for developing: it makes an app "demo" and hands tokens for it to every program of this machine. It refuses to listen on anything but loopback.
	Dev bool `yaml:"dev"`
	// BehindProxy lists the addresses of the proxies in front, as networks or single addresses. From them, and from nobody else, X-Forwarded-For and X-Forwarded-Proto are believed. It also allows plain HTTP off loopback: the proxy does TLS.
	BehindProxy []string `yaml:"behind_proxy"`
	// AllowedOrigins lists web origins whose pages may speak for every app, such as https://chat.example.com, beside the lists that the apps have of their own. The server's own pages always may.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// Blobs is where files are kept: the URL of a bucket, s3://BUCKET/PREFIX?region=REGION&endpoint=https://HOST, azure://ACCOUNT/CONTAINER/PREFIX or gs://BUCKET/PREFIX. Empty means the folder blobs in the data folder. Who may read and write there the environment says, as the tools of each cloud have it (AWS_ACCESS_KEY_ID, AZURE_STORAGE_KEY, GOOGLE_APPLICATION_CREDENTIALS), or the role of the machine (docs/ops/files.md).
	Blobs string `yaml:"blobs"`
	// BlobsRedirect has files read from the bucket itself, by URLs that are good for 60 seconds, rather than through the server. Whoever is removed from a conversation may then read for so much longer what they had asked for.
	BlobsRedirect bool `yaml:"blobs_redirect"`
	// FilesOrigin is a web origin of its own for reading files, such as https://files.example.com: a name that leads to this server too. Files are then shown there, where no page of yours is and nothing else is answered. Empty means the server's own address (docs/ops/files.md).
	FilesOrigin string `yaml:"files_origin"`
	// BlobsKey lists the master keys with which files are encrypted where they are kept, in a folder as in a bucket: 32 bytes each, in base64 or hex, made with openssl rand -base64 32. The first seals the keys of the apps, the others open what they have sealed before; without any, files are kept as they are. Keep a copy elsewhere: without the key nobody reads the files again, and the server does not start. Nodes of one cluster need the same keys. There is no flag for it, because other users of a machine can see flags (docs/ops/files.md).
	BlobsKey []string `yaml:"blobs_key" flag:"-" secret:"true"`
	// Media is how the server reads pictures, sounds and films.
	Media Media `yaml:"media"`
	// Calls are voice and video calls.
	Calls Calls `yaml:"calls"`
	// SFU says where the server's own media server for calls runs: process (beside this one, and started again when it ends), inline (inside this one, which it takes with it when it fails) or off. With calls.url there is none.
	SFU string `yaml:"sfu" oneof:"process inline off"`
	// RTC is how the media of calls reaches the server's own media server.
	RTC RTC `yaml:"rtc"`
	// TURN is how the server's own media server relays media for clients whose network lets nothing else through.
	TURN TURN `yaml:"turn"`
	// Shards is the number of shards of a journal that is made now. 0 means 1 with SQLite and 64 with PostgreSQL. A journal that exists keeps its own.
	Shards int `yaml:"shards" min:"0" max:"4096"`

	// Postgres is how the server uses the database of the option db. What the URL's own parameters set goes first, pool_* and target_session_attrs aside.
	Postgres Postgres `yaml:"postgres"`
	// Admin is the listener for operators and their programs: metrics, readiness with its reasons, profiles.
	Admin Admin `yaml:"admin"`
	// Drain is how the server ends when it is told to (SIGTERM).
	Drain Drain `yaml:"drain"`
	// OTel is where traces are sent.
	OTel OTel `yaml:"otel"`
	// Cluster joins several servers on one PostgreSQL database to one another, each with an embedded NATS server. Without it, and without nats, they work together all the same, but what is sent on one reaches the users of another only when that looks, every 2 seconds.
	Cluster Cluster `yaml:"cluster"`
	// NATS is an external NATS to use between the servers instead of the embedded ones.
	NATS NATS `yaml:"nats"`

	// Log is what the server writes about itself, to standard error.
	Log Log `yaml:"log"`
	// TLS is how the server speaks HTTPS by itself.
	TLS TLS `yaml:"tls"`
	// Limits are the sizes and rates that keep one client from hurting the others.
	Limits Limits `yaml:"limits"`
	// Quotas are what each app may use that has no quotas of its own (skein app quota).
	Quotas Quotas `yaml:"quotas"`
}

// Media is how the server reads pictures, sounds and films: in processes of
// their own, which may die without harm.
type Media struct {
	// Pixels bounds the pictures that smaller ones are made of, by what their header says. A larger one can only be saved.
	Pixels int `yaml:"pixels" min:"1000000" max:"500000000"`
	// Workers is how many files are read at once, each in a process of its own that ends when it has nothing to do. 0 means one for each processor, and at most 8.
	Workers int `yaml:"workers" min:"0" max:"256"`
	// Memory is what each of these processes may have. A picture that needs more can only be saved.
	Memory int `yaml:"memory" unit:"bytes" min:"67108864" max:"17179869184"`
}

// Calls are voice and video calls.
type Calls struct {
	// URL is a media server elsewhere that speaks LiveKit's protocol, such as wss://calls.example.com: what clients dial for their voices and pictures. Empty means the server's own, see sfu, which clients reach at the address of this server.
	URL string `yaml:"url"`
	// API is where the media server of url answers this one: an http or https URL, which only this server has to reach (LiveKit's RoomService). Empty means the host and port of url.
	API string `yaml:"api"`
	// Key is the name of the key by which this server and the one of url know each other, as that has it.
	Key string `yaml:"key"`
	// Secret is that key, of at least 32 characters. There is no flag for it, because other users of a machine can see flags.
	Secret string `yaml:"secret" flag:"-" secret:"true"`
	// RingTime is how long a call rings before nobody has answered.
	RingTime time.Duration `yaml:"ring_time" min:"1s" max:"5m"`
	// Parties bounds how many users a call has.
	Parties int `yaml:"parties" min:"2" max:"1000"`
}

// RTC is how media comes to the server's own media server and back.
type RTC struct {
	// Port is that of all media of all calls, UDP and TCP. It has to be open to the clients. 0 means a free one.
	Port int `yaml:"port" min:"0" max:"65535"`
	// Listen lists the addresses of this machine to serve media on; 0.0.0.0 and :: stand for all of them. Whoever has not joined a call by a token gets no answer there.
	Listen []string `yaml:"listen"`
	// Address lists the addresses of media that clients are told, the best first: an address (PUBLIC, or PUBLIC=LOCAL where a NAT translates), an interface, a network, auto to ask the cloud and STUN; with ! not these. Empty means those of rtc.listen (docs/ops/calls.md).
	Address []string `yaml:"address"`
	// TCP has media served over TCP too, for networks without UDP.
	TCP bool `yaml:"tcp"`
	// STUN lists STUN servers, as HOST:PORT, that are asked for the public address where rtc.address says auto and no cloud tells it.
	STUN []string `yaml:"stun"`
	// Metadata is where rtc.address=auto finds the machine's metadata. Empty means where AWS, Azure and Google Cloud have them; off asks nobody.
	Metadata string `yaml:"metadata"`
	// ICEServers lists further STUN and TURN servers that clients are told of, such as turn:turn.example.com:3478. Those of TURN get credentials made with turn.secret.
	ICEServers []string `yaml:"ice_servers"`
	// Readers is how many sockets share the UDP port. 0 means one for each processor.
	Readers int `yaml:"readers" min:"0" max:"64"`
}

// TURN is how the server's own media server relays.
type TURN struct {
	// Enabled has media relayed (TURN) for clients whose network lets nothing else through, to the media server and nowhere else.
	Enabled bool `yaml:"enabled"`
	// Port is that of TURN over UDP and TCP. 0 means a free one.
	Port int `yaml:"port" min:"0" max:"65535"`
	// TLSPort is that of TURN over TLS, where there is a certificate. 443, on an address of its own, passes most networks. 0 means a free one.
	TLSPort int `yaml:"tls_port" min:"0" max:"65535"`
	// Domain is the name that the certificate of TURN over TLS is for.
	Domain string `yaml:"domain"`
	// Cert is the file with that certificate (PEM). It is read again when it has changed.
	Cert string `yaml:"cert"`
	// Key is the file with the certificate's key (PEM).
	Key string `yaml:"key"`
	// Listen lists the addresses of this machine to serve TURN on. Empty means those of rtc.listen.
	Listen []string `yaml:"listen"`
	// Public has media relayed to public addresses elsewhere too, never to private ones.
	Public bool `yaml:"public"`
	// RelayPorts are the ports that relayed media leaves from, as FIRST-LAST. They need to be open to the outside with turn.public only. Empty means any.
	RelayPorts string `yaml:"relay_ports"`
	// Secret is what credentials are made with, for a TURN server elsewhere to know as well (rtc.ice_servers). Empty means one that follows from the secret key. There is no flag for it, because other users of a machine can see flags.
	Secret string `yaml:"secret" flag:"-" secret:"true"`
}

// Postgres is how the server uses PostgreSQL.
type Postgres struct {
	// Conns bounds the connections of this node; two more are kept for its lease.
	Conns int `yaml:"conns" min:"4" max:"1000"`
	// ConnectTimeout bounds the attempt to reach one host of the URL; then the next one is tried.
	ConnectTimeout time.Duration `yaml:"connect_timeout" min:"100ms" max:"1m"`
	// StatementTimeout bounds one statement. A commit that waits for a synchronous standby is none: nothing cancels it.
	StatementTimeout time.Duration `yaml:"statement_timeout" min:"1s" max:"10m"`
	// LockTimeout bounds the wait for a row that another transaction holds.
	LockTimeout time.Duration `yaml:"lock_timeout" min:"100ms" max:"10m"`
	// WaitTimeout bounds the wait for a free connection; what waits longer is refused with UNAVAILABLE.
	WaitTimeout time.Duration `yaml:"wait_timeout" min:"100ms" max:"1m"`
	// ConnLifetime is after how long a connection is replaced by a new one.
	ConnLifetime time.Duration `yaml:"conn_lifetime" min:"1m" max:"24h"`
}

// Admin is the listener for operators and their programs.
type Admin struct {
	// Listen is the address and port on which /metrics, /readyz, /livez, /version and /debug/pprof are served, such as 127.0.0.1:9090. Empty means that there is no such listener. It asks nobody who they are, so it listens on loopback only, unless allow_remote is set.
	Listen string `yaml:"listen"`
	// AllowRemote allows an address for operators that other machines can reach. Whoever can reach it sees figures and profiles (no message, no token) and can make the server work: keep it inside a network of yours.
	AllowRemote bool `yaml:"allow_remote"`
	// DiskPercent is from how full a disk of the data folder on the server says that it is not ready, in percent, as df counts it. 0 never looks.
	DiskPercent int `yaml:"disk_percent" min:"0" max:"100"`
}

// Drain is how the server ends when it is told to: it says that it is not
// ready, waits for Delay, sends its clients away over Spread, finishes what is
// under way, and ends, all within Timeout. A second SIGTERM ends it at once.
type Drain struct {
	// Delay is how long the server goes on as before after it has said that it is not ready, so that balancers notice before anything is refused. 0 suits a server without a balancer.
	Delay time.Duration `yaml:"delay" min:"0s" max:"10m"`
	// Spread is over how long the sessions are sent away, each with a time of its own to come back, so that a restart is no storm. A node with few sessions takes less: 500 a second are always allowed.
	Spread time.Duration `yaml:"spread" min:"0s" max:"30m"`
	// Timeout bounds the end from the signal on, delay and spread included; what is not finished then is cut off.
	Timeout time.Duration `yaml:"timeout" min:"1s" max:"1h"`
}

// OTel is where traces are sent, by OpenTelemetry's protocol over HTTP.
type OTel struct {
	// Endpoint is the URL of a collector, such as http://127.0.0.1:4318. Empty means no traces, and then they cost nothing.
	Endpoint string `yaml:"endpoint"`
	// Sample is the share of messages that are traced, 0 to 1. A call that comes with a W3C traceparent header that says sampled always is.
	Sample float64 `yaml:"sample" min:"0" max:"1"`
}

// Cluster is how the servers on one database reach one another.
type Cluster struct {
	// Listen is the address and port for connections from the other servers, such as 10.0.0.11:6222. Setting it starts the embedded NATS server. Clients never connect there.
	Listen string `yaml:"listen"`
	// Peers lists the addresses and ports (cluster.listen) of the other servers. One that is up is enough to find the rest; the server's own may be among them, so that all can have the same list.
	Peers []string `yaml:"peers"`
	// Name tells clusters apart that could hear one another. It is the same on all servers of one.
	Name string `yaml:"name"`
	// Cert is a file with this server's certificate for connections to and from the others, in PEM, with the names or addresses by which they know it. It is read again at each connection.
	Cert string `yaml:"cert"`
	// Key is the file with the certificate's private key, in PEM.
	Key string `yaml:"key"`
	// CA is a file with the certificates, in PEM, that have signed those of all servers. A server without such a certificate is refused.
	CA string `yaml:"ca"`
	// SFU is the address and port at which the other servers pass on to this one's media server who is in a call there, such as 10.0.0.11:6223. It is served with TLS and to those only who have the same secret key. Empty means a free port, and the host of cluster.listen, or, where that names none, the address from which this machine speaks to the others and to the database; :6223 sets the port alone. It is used on PostgreSQL only.
	SFU string `yaml:"sfu"`
	// Plain allows connections between servers on different machines without TLS, for networks that encrypt by themselves, such as WireGuard or a service mesh.
	Plain bool `yaml:"plain"`
}

// NATS is an external NATS.
type NATS struct {
	// URL is the address of an external NATS, or several with commas between, such as tls://nats.internal:4222. Nothing is stored there.
	URL string `yaml:"url"`
	// User is the name to sign in with. Empty means none.
	User string `yaml:"user"`
	// Password belongs to user. There is no flag for it, because other users of a machine can see flags.
	Password string `yaml:"password" flag:"-" secret:"true"`
	// Credentials is a file with credentials as nsc makes them.
	Credentials string `yaml:"credentials"`
	// CA is a file with the certificates, in PEM, that have signed the one of NATS. Empty means those that the system knows.
	CA string `yaml:"ca"`
	// Cert is a file with this server's own certificate for NATS, in PEM; can be empty.
	Cert string `yaml:"cert"`
	// Key is the file with the private key of that certificate, in PEM.
	Key string `yaml:"key"`
}

// Quotas are what an app may use for which the operator has decided nothing
// else. 0 is no bound: the limits that hold for every app stay.
type Quotas struct {
	// Users bounds the users of an app. 0 is no bound.
	Users int `yaml:"users" min:"0" max:"1000000000000"`
	// Groups bounds the groups of an app that were not dissolved. 0 is no bound.
	Groups int `yaml:"groups" min:"0" max:"1000000000000"`
	// DevicesOnline bounds the devices of an app with an open socket. 0 is no bound.
	DevicesOnline int `yaml:"devices_online" min:"0" max:"1000000000000"`
	// MessagesPerDay bounds the messages of an app from 00:00 to 24:00 UTC. 0 is no bound.
	MessagesPerDay int `yaml:"messages_per_day" min:"0" max:"1000000000000"`
	// MessagesPerSecond is how many messages an app may send each second, and at once, over each server. 0 is no bound.
	MessagesPerSecond float64 `yaml:"messages_per_second" min:"0" max:"1000000"`
	// StoredBytes bounds the files of an app, open uploads included. 0 is no bound.
	StoredBytes int `yaml:"stored_bytes" unit:"bytes" min:"0" max:"9007199254740992"`
	// UserStoredBytes bounds the files of each user, open uploads included. 0 is no bound.
	UserStoredBytes int `yaml:"user_stored_bytes" unit:"bytes" min:"0" max:"9007199254740992"`
	// UserUploadedBytesPerDay bounds what each user uploads from 00:00 to 24:00 UTC. 0 is no bound.
	UserUploadedBytesPerDay int `yaml:"user_uploaded_bytes_per_day" unit:"bytes" min:"0" max:"9007199254740992"`
}

// Log is what the server writes about itself.
type Log struct {
	// Level is the least level that is written: debug, info, warn or error. Messages' contents, tokens and secrets are on none of them.
	Level string `yaml:"level" oneof:"debug info warn error"`
	// Format is text for people or json for machines.
	Format string `yaml:"format" oneof:"text json"`
}

// TLS is how the server speaks HTTPS by itself: with a certificate from files,
// or with one that it gets from an ACME server.
type TLS struct {
	// Cert is a file with the certificate and its chain, in PEM. It is read again when it changes, and on SIGHUP; connections stay open.
	Cert string `yaml:"cert"`
	// Key is the file with the certificate's private key, in PEM.
	Key string `yaml:"key"`
	// ACME gets certificates by itself.
	ACME ACME `yaml:"acme"`
	// HSTS is how long browsers shall refuse plain HTTP for this host (Strict-Transport-Security). 0 sends no such header. It is only ever sent over TLS.
	HSTS time.Duration `yaml:"hsts" min:"0s" max:"17520h"`
}

// ACME is how the server gets certificates by itself (RFC 8555).
type ACME struct {
	// Domains are the host names to get certificates for. Setting it means that you agree to the terms of the ACME server (Let's Encrypt unless directory is set).
	Domains []string `yaml:"domains"`
	// Email is where the ACME server writes when something is wrong with a certificate; can be empty.
	Email string `yaml:"email"`
	// Cache is the folder of certificates and the account's key. Empty means the folder acme in the data folder.
	Cache string `yaml:"cache"`
	// Directory is the URL of another ACME server's directory.
	Directory string `yaml:"directory"`
	// HTTP is an address and port, usually :80, on which challenges of the kind http-01 are answered and everything else is sent to HTTPS. Empty means that only tls-alpn-01 is used, which needs no second port.
	HTTP string `yaml:"http"`
}

// Limits are sizes and rates. Rates refill a bucket of the size of the burst.
type Limits struct {
	// TextBytes bounds the text of a message.
	TextBytes int `yaml:"text_bytes" unit:"bytes" min:"1" max:"1048576"`
	// BodyBytes bounds an encoded body: the text and everything with it.
	BodyBytes int `yaml:"body_bytes" unit:"bytes" min:"1" max:"2097152"`
	// PacketBytes bounds a packet on the socket, and the request of a call.
	PacketBytes int `yaml:"packet_bytes" unit:"bytes" min:"4096" max:"16777216"`
	// HelloBytes bounds packets before the sign-in.
	HelloBytes int `yaml:"hello_bytes" unit:"bytes" min:"2560" max:"65536"`
	// HelloTimeout is how long a socket may stay open without a sign-in.
	HelloTimeout time.Duration `yaml:"hello_timeout" min:"100ms" max:"1m"`
	// Frames bounds the frames of a packet.
	Frames int `yaml:"frames" min:"1" max:"10000"`
	// InFlight bounds the frames of a session that have no answer yet; what comes on top is refused with RATE_LIMITED.
	InFlight int `yaml:"in_flight" min:"1" max:"10000"`
	// PingInterval is after how long of silence a client sends a ping; after three times that the server closes.
	PingInterval time.Duration `yaml:"ping_interval" min:"1s" max:"10m"`
	// QueueBytes bounds the output that waits for a client that reads slowly; beyond it the connection is closed, and sync repairs it.
	QueueBytes int `yaml:"queue_bytes" unit:"bytes" min:"65536" max:"268435456"`
	// QueueFrames bounds the same, counted in frames.
	QueueFrames int `yaml:"queue_frames" min:"256" max:"1000000"`
	// SocketBuffer is the size of the kernel's buffers of a socket, each way. Linux allows twice that, because it counts its own bookkeeping in: a reader that has stopped takes less than 256 KiB with the default.
	SocketBuffer int `yaml:"socket_buffer" unit:"bytes" min:"4096" max:"4194304"`
	// Connections bounds the open sockets of this node.
	Connections int `yaml:"connections" min:"1" max:"10000000"`
	// QueueTotalBytes bounds the output that waits for all clients of this node together; beyond it the connections with the most waiting are closed first, and sync repairs them.
	QueueTotalBytes int `yaml:"queue_total_bytes" unit:"bytes" min:"1048576" max:"1099511627776"`
	// LoginRate is how many new connections this node takes each second. Those that come on top are told to come back in a moment, each at a time of its own; who is connected does not notice.
	LoginRate float64 `yaml:"login_rate" min:"1" max:"1000000"`
	// LoginBurst is how many new connections this node takes at once.
	LoginBurst int `yaml:"login_burst" min:"1" max:"10000000"`
	// Logins bounds the sign-ins and syncs that this node works on at the same time, and so what they need of memory and database. Syncs of sessions that are open go first. 0 means 8 for each processor and 16.
	Logins int `yaml:"logins" min:"0" max:"100000"`
	// LoginQueue bounds the sign-ins that wait for one of these; beyond it, and after 5 s of waiting, they are told to come back.
	LoginQueue int `yaml:"login_queue" min:"1" max:"1000000"`
	// RoomWrites bounds how often a second this node sends something to viewers of livestreams, each viewer counted; 0 = 4,000
	// a processor. When more is said, viewers get more at once, at most 30 messages, and the rest is left out.
	RoomWrites int `yaml:"room_writes" min:"0" max:"10000000"`
	// Handshakes bounds the TLS handshakes that this node works on at the same time; further connections wait in the kernel.
	Handshakes int `yaml:"handshakes" min:"1" max:"100000"`
	// Watch bounds the users whose presence a session watches.
	Watch int `yaml:"watch" min:"1" max:"500"`
	// SendRate is how many messages a session may send each second.
	SendRate float64 `yaml:"send_rate" min:"0.1" max:"1000000"`
	// SendBurst is how many messages a session may send at once.
	SendBurst int `yaml:"send_burst" min:"1" max:"1000000"`
	// CallRate is how many calls over HTTP a user may make each second.
	CallRate float64 `yaml:"call_rate" min:"0.1" max:"1000000"`
	// CallBurst is how many calls over HTTP a user may make at once.
	CallBurst int `yaml:"call_burst" min:"1" max:"1000000"`
	// BackEndRate is how many calls over HTTP an app's own back end may make each second.
	BackEndRate float64 `yaml:"back_end_rate" min:"0.1" max:"1000000"`
	// BackEndBurst is how many calls over HTTP an app's own back end may make at once.
	BackEndBurst int `yaml:"back_end_burst" min:"1" max:"1000000"`
	// CallTimeout bounds how long a call over HTTP may take.
	CallTimeout time.Duration `yaml:"call_timeout" min:"1s" max:"5m"`
	// RequestRate is how many contact requests a user may make each second.
	RequestRate float64 `yaml:"request_rate" min:"0.0001" max:"1000000"`
	// RequestBurst is how many contact requests a user may make at once.
	RequestBurst int `yaml:"request_burst" min:"1" max:"1000000"`
	// DirectoryRate is how many look-ups in the directory a user may make each second: the brake on whoever wants to list everybody.
	DirectoryRate float64 `yaml:"directory_rate" min:"0.0001" max:"1000000"`
	// DirectoryBurst is how many look-ups in the directory a user may make at once.
	DirectoryBurst int `yaml:"directory_burst" min:"1" max:"1000000"`
	// InviteRate is how many codes of invitations a user may look up, and groups join or ask to join, each second: the brake on whoever tries codes.
	InviteRate float64 `yaml:"invite_rate" min:"0.0001" max:"1000000"`
	// InviteBurst is how many of them a user may do at once.
	InviteBurst int `yaml:"invite_burst" min:"1" max:"1000000"`
	// RingRate is how many calls a user may start, or invite more users to, each second.
	RingRate float64 `yaml:"ring_rate" min:"0.0001" max:"1000000"`
	// RingBurst is how many of these a user may make at once.
	RingBurst int `yaml:"ring_burst" min:"1" max:"1000000"`
	// StrangerRate is how many guests may be made, and codes for the sign-in of a device asked for, each second from an address. Addresses of IPv6 count by their /64.
	StrangerRate float64 `yaml:"stranger_rate" min:"0.0001" max:"1000000"`
	// StrangerBurst is how many of them an address may ask for at once.
	StrangerBurst int `yaml:"stranger_burst" min:"1" max:"1000000"`
	// HelloRate is how many connections, and calls without a good token, an address may make each second. Addresses of IPv6 count by their /64.
	HelloRate float64 `yaml:"hello_rate" min:"0.1" max:"1000000"`
	// HelloBurst is how many of them an address may make at once.
	HelloBurst int `yaml:"hello_burst" min:"1" max:"1000000"`
	// Devices bounds the signed-in devices of a user; one more signs out the one that was seen longest ago.
	Devices int `yaml:"devices" min:"1" max:"100"`
	// GroupMembers bounds the members of a group; the app's back end may let one
	// have up to 100000.
	GroupMembers int `yaml:"group_members" min:"2" max:"100000"`
	// FileBytes bounds a file.
	FileBytes int `yaml:"file_bytes" unit:"bytes" min:"1" max:"83886080000"`
	// OpenUploads bounds the uploads of a user that are not complete.
	OpenUploads int `yaml:"open_uploads" min:"1" max:"1000"`
	// FileKeep is how long an upload is kept that nothing comes for, and a file that nobody has sent.
	FileKeep time.Duration `yaml:"file_keep" min:"1m" max:"8760h"`
	// ReceiptMembers is up to how many members read markers are announced; in larger groups they are fetched.
	ReceiptMembers int `yaml:"receipt_members" min:"0" max:"10000"`
	// Emoji bounds the different emoji on one message.
	Emoji int `yaml:"emoji" min:"1" max:"1000"`
	// Edits bounds the edits of one message.
	Edits int `yaml:"edits" min:"1" max:"10000"`
	// RecallWindow is how long a sender may recall a message, in apps that have set no window of their own; 0 is for ever.
	RecallWindow time.Duration `yaml:"recall_window" min:"0s"`
	// IDWindow is how long the ids of messages are remembered, so that a retry finds what its first attempt did.
	IDWindow time.Duration `yaml:"id_window" min:"720h" max:"8760h"`
	// IDAhead is how far the time in a message's id may lie ahead of the server's clock.
	IDAhead time.Duration `yaml:"id_ahead" min:"1m" max:"1h"`
}

// Default returns the options as they are when nothing is set.
func Default() *Config {
	return &Config{
		Listen: "127.0.0.1:8080",
		Data:   "./data",
		Postgres: Postgres{Conns: 24, ConnectTimeout: 2 * time.Second, StatementTimeout: 15 * time.Second, LockTimeout: 10 * time.Second,
			WaitTimeout: 5 * time.Second, ConnLifetime: 30 * time.Minute},
		Media:   Media{Pixels: 50_000_000, Memory: 512 << 20},
		Calls:   Calls{RingTime: time.Minute, Parties: 250},
		SFU:     "process",
		RTC:     RTC{Port: 7882, Listen: []string{"0.0.0.0"}, TCP: true},
		TURN:    TURN{Port: 3478, TLSPort: 5349},
		Admin:   Admin{DiskPercent: 90},
		Drain:   Drain{Spread: 5 * time.Second, Timeout: 30 * time.Second},
		OTel:    OTel{Sample: 0.001},
		Cluster: Cluster{Name: "skein"},
		Log:     Log{Level: "info", Format: "text"},
		TLS:     TLS{HSTS: 180 * 24 * time.Hour},
		Limits: Limits{
			TextBytes: 16 << 10, BodyBytes: 32 << 10, PacketBytes: 256 << 10, HelloBytes: 4 << 10, HelloTimeout: 5 * time.Second,
			Frames: 256, InFlight: 64, PingInterval: 25 * time.Second,
			QueueBytes: 2 << 20, QueueFrames: 8192, SocketBuffer: 96 << 10, Connections: 100_000, Watch: 500,
			QueueTotalBytes: 512 << 20, LoginRate: 5000, LoginBurst: 20_000, LoginQueue: 10_000, Handshakes: 1000,
			SendRate: 1000, SendBurst: 2000, CallRate: 100, CallBurst: 500, BackEndRate: 1000, BackEndBurst: 5000, CallTimeout: 15 * time.Second,
			HelloRate: 500, HelloBurst: 5000,
			RequestRate: 0.02, RequestBurst: 50, DirectoryRate: 0.5, DirectoryBurst: 30, InviteRate: 1, InviteBurst: 20, RingRate: 0.2, RingBurst: 10, StrangerRate: 0.1, StrangerBurst: 20,
			Devices: 20, GroupMembers: 5000, FileBytes: 5 << 30, OpenUploads: 20, FileKeep: 24 * time.Hour, ReceiptMembers: 200, Emoji: 50, Edits: 100,
			IDWindow: 30 * 24 * time.Hour, IDAhead: 10 * time.Minute,
		},
	}
}

// FeatureLimits are the limits of features that no option changes, by what they
// limit. Their packages enforce them, and a test of the program that knows both
// compares the two.
func FeatureLimits() map[string]string {
	return map[string]string{
		"Invitations of a group that work":            "100",
		"The uses of an invitation, or any number":    "100000",
		"Open requests to join of a user":             "50",
		"Open requests to join a group":               "10000",
		"How long a request to join is open":          "30 days",
		"Users on a group's allow list":               "10000",
		"Announcements of a group":                    "50",
		"Attributes of a group":                       "100",
		"Roles of a group, and of a member":           "50, 10",
		"The description of a group":                  "2 KiB",
		"Nicknames, and the names of a group's roles": "64 bytes",
		"A mute":                              "a year",
		"Slow mode":                           "a day",
		"Counters of a group":                 "50",
		"The name of an attribute or counter": "64 bytes",
		"Pinned conversations of a user":      "100",
		"Folders of a user":                   "50",
		"Conversations in a folder":           "500",
		"Pieces of a conversation that a user has deleted for themself": "1000",
		"A draft":                              "16 KiB",
		"Scheduled messages of a user":         "100",
		"How far ahead a message is scheduled": "365 days",
		"The text of an announcement, the value of an attribute": "4 KiB",
		"Users whom a message mentions":                          "100",
		"Roles that a message mentions":                          "10",
		"Members of a group in which everybody may mention all":  "100",
		"Users whom a message or a command is for":               "100",
		"Attachments of a message":                               "20",
		"The thumb of an attachment":                             "1 KiB",
		"The file of a picture that is looked at":                "64 MiB",
		"Frames of a picture that moves":                         "10000",
		"How long a picture, a sound or a film is looked at":     "10 s",
		"Messages in a merged forward":                           "100",
		"Messages that are forwarded one by one in a call":       "20",
		"Groups in a page of ListGroups, of a back end":          "200",
		"Entries in a call of ExportMessages":                    "500, about 1 MiB",
		"Users whom a broadcast names":                           "10000",
		"Broadcasts of an app that run at once":                  "10",
		"Messages in a call of ImportMessages":                   "500",
		"The id of an imported message":                          "64 B",
		"The data of a command":                                  "4 KiB",
		"Members of a conversation all of whom get a command":    "1000",
	}
}

// fixedLimit is a limit that is part of the protocol: no option changes it.
type fixedLimit struct{ what, value string }

// fixedLimits are the limits that no option changes; a test compares them with
// the code that enforces them.
func fixedLimits() []fixedLimit {
	return []fixedLimit{
		{"User and device ids", "64 bytes"},
		{"App and group ids", "64 bytes"},
		{"Conversation ids", "136 bytes"},
		{"A token", "2 KiB"},
		{"The life of a token", "24 h"},
		{"The tolerance for the clock of who signs tokens", "1 m"},
		{"A device's cursor", "1 KiB"},
		{"A device's name", "64 bytes"},
		{"Allowed origins of an app", "100"},
		{"A sign-out reaches every node within", "5 s"},
	}
}
