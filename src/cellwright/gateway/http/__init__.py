"""HTTP/1.1 both ways (RFC 9110, RFC 9112): clients served, and backends asked over connections that are kept."""
