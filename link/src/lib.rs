//! QUIC endpoints and identities for both ends; turns batches into datagrams and back.
