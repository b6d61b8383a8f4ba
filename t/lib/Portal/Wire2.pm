package Portal::Wire2;

# Portal::Wire over HTTP/2: the same requests as bytes, sent as frames.
#
#   my $p = Portal->new(Portal::Wire2::options(my $port = …));
#   my $w = Portal::Wire2->new($p, $port);
#   $w->ask($bytes)                  # as there
#   $w->together(@bytes)             # answers of as many streams of one
#                                    # connection
#   my $s = $w->begin;               # one by one
#   $w->stream($s, 1, $bytes); $w->cancel($s, 1); $w->answers($s)
#
# The window for answers is as large as may be, so that they need nothing said
# meanwhile; nginx's own is respected.

use strict;
use warnings;
use utf8;

use IO::Select;
use Socket ();
use Time::HiRes qw(time);

use parent 'Portal::Wire';

use constant { DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4,
               GOAWAY => 7, WINDOW_UPDATE => 8 };
use constant { END_STREAM => 1, ACK => 1, END_HEADERS => 4 };
use constant { FRAME => 16384, WINDOW => 65535, MOST => 0x7fffffff };

# HPACK's static table, of what nginx says :status with

my %indexed = (0x88 => 200, 0x89 => 204, 0x8a => 206, 0x8b => 304,
               0x8c => 400, 0x8d => 404, 0x8e => 500);


sub options {
    my ($port) = @_;

    return (Portal::Wire::options,
            server => "        listen 127.0.0.1:$port http2;\n");
}


sub new {
    my ($class, $portal, $port) = @_;
    my $self = $class->SUPER::new($portal);

    $self->{port} = $port;
    return $self;
}


sub port { $_[0]{port} }


# Sent, or as much of it as the other side takes: a body that is not whole
# leaves its stream open.

sub send {
    my ($self, $bytes, %o) = @_;
    my $s = $self->begin(%o);

    $self->stream($s, 1, $bytes);
    return $s;
}


sub begin {
    my ($self, %o) = @_;
    my $s = $self->connect(%o);

    *$s->{h2} = { in => '', window => WINDOW, settings => WINDOW,
                  streams => {} };
    Portal::Wire::put($s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                          . frame(SETTINGS, 0, 0, pack 'nN', 4, MOST)
                          . frame(WINDOW_UPDATE, 0, 0,
                                  pack 'N', MOST - WINDOW));
    return $s;
}


sub frame {
    my ($type, $flags, $stream, $data) = @_;

    return pack('NCN', length($data) << 8 | $type, $flags, $stream) . $data;
}


# An HTTP/1.1 request as a stream.  One whose body is not whole is left open,
# unless it ends => 1; without Content-Length it ends with the bytes.

sub stream {
    my ($self, $s, $id, $bytes, %o) = @_;
    my ($head, $body) = $bytes =~ /^(.*?\r\n)\r\n(.*)/s
        or die "not a request\n";
    my ($first, @lines) = split /\r\n/, $head;
    my ($method, $path) = split / /, $first;
    my ($authority, $length) = ('', undef);
    my @fields;

    for my $line (@lines) {
        my ($name, $value) = $line =~ /^([^:]+): *(.*)/;

        $name = lc $name;
        next if $name eq 'connection';

        $length = $value if $name eq 'content-length';

        $name eq 'host' ? $authority = $value
                        : push @fields, [ $name, $value ];
    }

    my $end = !defined $length || length $body == $length || $o{ends}
              ? END_STREAM : 0;
    my $block = join '', map { literal(@$_) }
        [ ':method', $method ], [ ':scheme', 'http' ], [ ':path', $path ],
        [ ':authority', $authority ], @fields;

    *$s->{h2}{streams}{$id} = { window => *$s->{h2}{settings}, body => '' };
    Portal::Wire::put($s, frame(HEADERS,
                                END_HEADERS | (length $body ? 0 : $end),
                                $id, $block)) or return 0;

    while (length $body) {
        my $n = $self->room($s, $id, length $body) or return 0;
        my $piece = substr $body, 0, $n, '';

        Portal::Wire::put($s, frame(DATA, length $body ? 0 : $end, $id,
                                    $piece)) or return 0;
    }

    return 1;
}


# Without an index and without Huffman's code.

sub literal {
    my ($name, $value) = @_;

    return "\0" . integer(length $name) . $name
           . integer(length $value) . $value;
}


sub integer {
    my ($n) = @_;
    my $out;

    return chr $n if $n < 127;

    $out = chr 127;

    for ($n -= 127; $n > 127; $n >>= 7) {
        $out .= chr(128 | $n & 127);
    }

    return $out . chr $n;
}


# How much may be sent of a stream: waits until it is something; 0 when the
# stream has been answered or the other side is gone.

sub room {
    my ($self, $s, $id, $most) = @_;
    my $h2 = *$s->{h2};
    my $stream = $h2->{streams}{$id};
    my $until = time + 20;

    for (;;) {
        my $n = $most;

        for my $limit (FRAME, $h2->{window}, $stream->{window}) {
            $n = $limit if $n > $limit;
        }

        if ($n > 0) {
            $h2->{window} -= $n;
            $stream->{window} -= $n;
            return $n;
        }

        return 0 if $stream->{end} || $h2->{gone} || time > $until;
        $self->hear($s, $until - time);
    }
}


# Reads what has come, or waits for something.

sub hear {
    my ($self, $s, $seconds) = @_;
    my $h2 = *$s->{h2};

    IO::Select->new($s)->can_read($seconds) or return 0;
    $h2->{gone} = 1 if !sysread $s, $h2->{in}, 65536, length $h2->{in};

    while (length $h2->{in} >= 9) {
        my ($first, $flags, $id) = unpack 'NCN', $h2->{in};
        my ($length, $type) = ($first >> 8, $first & 255);

        last if length $h2->{in} < 9 + $length;

        my $data = substr $h2->{in}, 9, $length;

        substr $h2->{in}, 0, 9 + $length, '';
        heard($h2, $type, $flags, $id & MOST, $data);
    }

    return 1;
}


sub heard {
    my ($h2, $type, $flags, $id, $data) = @_;
    my $stream = $h2->{streams}{$id};

    if ($type == SETTINGS && !($flags & ACK)) {
        while ($data =~ s/^(.{6})//s) {
            my ($name, $value) = unpack 'nN', $1;

            next if $name != 4;
            $_->{window} += $value - $h2->{settings}
                for values %{ $h2->{streams} };
            $h2->{settings} = $value;
        }

    } elsif ($type == WINDOW_UPDATE) {
        ($id ? $stream : $h2)->{window} += unpack 'N', $data
            if !$id || $stream;

    } elsif ($type == GOAWAY) {
        $h2->{gone} = 1;

    } elsif ($stream) {
        $stream->{status} //= status($data) if $type == HEADERS;
        $stream->{body} .= $data if $type == DATA;
        $stream->{cut} = $stream->{end} = 1 if $type == RST_STREAM;
        $stream->{end} = 1
            if ($type == HEADERS || $type == DATA) && $flags & END_STREAM;
    }
}


sub status {
    my ($block) = @_;

    # nginx says first that it keeps no table

    $block =~ s/^[\x20-\x3f]//;

    return $indexed{ ord $block }
           // ($block =~ /^[\x08\x48]\x03(\d{3})/ ? $1 : 'strange');
}


# Has the answer begun?

sub answered {
    my ($self, $s) = @_;

    while ($self->hear($s, 0)) {
        last if *$s->{h2}{gone};
    }

    return *$s->{h2}{gone} || defined *$s->{h2}{streams}{1}{status};
}


sub answer {
    my ($self, $s, $seconds) = @_;
    my ($answer) = $self->answers($s, $seconds);

    close $s;
    return $answer;
}


sub together {
    my ($self, @bytes) = @_;
    my $s = $self->begin;
    my $id = -1;

    $self->stream($s, $id += 2, $_) for @bytes;

    my @answers = $self->answers($s);

    close $s;
    return @answers;
}


# The stream ends, the connection stays.

sub cancel {
    my ($self, $s, $id) = @_;

    delete *$s->{h2}{streams}{$id};
    return Portal::Wire::put($s, frame(RST_STREAM, 0, $id, pack 'N', 8));
}


sub answers {
    my ($self, $s, $seconds) = @_;
    my $until = time + ($seconds // 20);
    my $h2 = *$s->{h2};
    my @streams = map { $h2->{streams}{$_} }
                  sort { $a <=> $b } keys %{ $h2->{streams} };

    while (grep { !$_->{end} } @streams) {
        last if $h2->{gone} && $h2->{in} eq '' || time > $until;
        $self->hear($s, $until - time) or last;
    }

    return map {
        { status => $_->{cut} ? 'cut' : defined $_->{status} ? ($_->{end}
                    ? $_->{status} : 'cut') : $h2->{gone} ? 'none' : 'late',
          head => '', body => $_->{body} }
    } @streams;
}


1;
