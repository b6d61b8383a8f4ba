package Torture::Letters;

# The account of every letter.  Clients, each a process and a person of its
# own, send letters with files and keys they remember, while something else
# kills the portal's parts; then it is looked up what is there.
#
#   my $l = Torture::Letters->new($portal, clients => 6);
#                             # bases => [ … ]: of several nodes; who gets no
#                             # answer from one asks another
#                             # fresh => 1: each request on a connection of
#                             # its own, none of those that a server may
#                             # close at the same moment
#   $l->start;
#   …
#   $l->stop;
#   my $a = $l->account;      # numbers, and problems => [ sentences ]
#   $l->again;                # each key once more; problems as well
#
# What a client knows of a letter is one of
#   ok       answered with success and a tracking code
#   unknown  no answer, or one that promised nothing
# and is written down before and after each request, so that nothing depends
# on a client's memory.

use strict;
use warnings;
use utf8;

use Digest::SHA qw(sha256_hex);
use IO::Handle;
use Mojo::JSON qw(decode_json encode_json);
use POSIX ();
use Time::HiRes qw(sleep time);

use Portal;

# a person may send 200 letters a day

use constant LETTERS => 180;


sub new {
    my ($class, $portal, %o) = @_;
    my $self = bless { portal => $portal, owner => $$, clients => 4,
                       pause => 0.05,
                       people => 1, pids => [], %o }, $class;

    $self->{history} = $portal->dir . '/history';
    mkdir $self->{history};
    $self->{persons} = [ map { [ map { $self->person } 1 .. $self->{people} ] }
                         1 .. $self->{clients} ];
    return $self;
}


sub person {
    my ($self) = @_;
    my $p = $self->{portal};
    my $b = $p->browser;
    my $who = $b->signup;

    $b->set_password;
    $p->db->do(q{UPDATE persons SET mobile_step = 'yes',
                 registry_step = 'yes', first_name = 'زهرا',
                 last_name = 'کریمی', father_name = 'علی'
                 WHERE national_code = ?}, undef, $who->{national_code});
    return { %$who, id => $p->value(
        'SELECT id FROM persons WHERE national_code = ?',
        $who->{national_code}) };
}


sub start {
    my ($self) = @_;

    unlink "$self->{history}/stop";

    for my $n (0 .. $self->{clients} - 1) {
        my $pid = fork // die "fork: $!\n";

        if ($pid == 0) {
            $SIG{$_} = 'DEFAULT' for qw(INT HUP);
            alarm 0;
            eval { $self->client($n); 1 } or print STDERR "client $n: $@";
            POSIX::_exit(0);
        }

        push @{ $self->{pids} }, $pid;
    }
}


# A client finishes the letter it is at.

sub stop {
    my ($self) = @_;

    open my $f, '>', "$self->{history}/stop" or die "stop: $!\n";
    waitpid $_, 0 for splice @{ $self->{pids} };
}


sub DESTROY {
    local ($?, $@, $!);
    my $pids = $_[0]->{pids};

    kill KILL => @$pids if @$pids && $_[0]->{owner} == $$;
}


# One client.

sub client {
    my ($self, $n) = @_;
    my $letters = 0;

    srand($$ ^ time);
    $SIG{TERM} = sub { POSIX::_exit(0) };
    open my $log, '>>:raw', "$self->{history}/$n.jsonl" or die "$n: $!\n";
    $log->autoflush(1);

    my %c = (n => $n, log => $log, known => []);

    while (!-e "$self->{history}/stop") {
        my $who = $self->{persons}[$n][$letters / LETTERS] // return;

        $c{b} = undef if !$c{who} || $c{who} != $who;
        $c{who} = $who;
        $self->one_letter(\%c) and $letters++;
        sleep rand 2 * $self->{pause};
    }
}


# A letter, sent again under its key until it is answered or the sender has
# had enough; true when one was sent at all.

sub one_letter {
    my ($self, $c) = @_;
    my $letter = $self->letter($c);
    my $sent = 0;
    my $patience = 1 + int rand 6;

    for my $try (1 .. $patience) {
        if (!$self->logged_in($c)) {
            $self->elsewhere($c);
            sleep 0.3;
            next;
        }

        $sent++ or write_down($c, { op => 'invoke',
                              map { $_ => $letter->{$_} }
                              qw(key person subject files) });

        my $answer = send_letter($c->{b}, $letter);

        write_down($c, { key => $letter->{key}, %$answer });
        return 1 if $answer->{op} eq 'ok' || $answer->{op} eq 'refused';
        $self->elsewhere($c);
        sleep 0.2 + rand 0.5;
    }

    return $sent;
}


# The same session and the same key, at another node.

sub elsewhere {
    my ($self, $c) = @_;
    my $bases = $self->{bases} // return;

    $c->{at} = (($c->{at} // $c->{n}) + 1) % @$bases;
    $c->{b}{base} = $bases->[ $c->{at} ] if $c->{b};
}


sub write_down {
    my ($c, $line) = @_;

    print { $c->{log} } encode_json({ at => time, %$line }), "\n";
}


sub letter {
    my ($self, $c) = @_;
    my $key = unpack 'H*', Instance::random_bytes(20);
    my @bytes = map {
        @{ $c->{known} } && rand() < 0.15
            ? $c->{known}[ rand @{ $c->{known} } ] : random_png()
    } 1 .. 1 + int rand 3;

    splice @{ $c->{known} }, 0, 2 if @{ $c->{known} } > 6;
    push @{ $c->{known} }, $bytes[0];

    my $n = 0;

    return { key => $key, person => $c->{who}{id}, subject => "key $key",
             bytes => \@bytes,
             files => [ map { { name => 'file' . ++$n . '.png',
                                sha256 => sha256_hex($_),
                                size => length } } @bytes ] };
}


sub random_png {
    my $size = rand() < 0.2 ? 20_000 + int rand 180_000 : 20 + int rand 4000;

    return Portal::Browser::tiny_png(
        unpack 'H*', Instance::random_bytes(int $size / 2));
}


# Sessions live in Redis and end with it: then the password again.

sub logged_in {
    my ($self, $c) = @_;
    my $b = $c->{b} //= $self->{portal}->browser;

    $b->ua->max_connections(0) if $self->{fresh};

    return eval { visit($b, $c->{who}) };
}


sub visit {
    my ($b, $who) = @_;

    $b->get('/desk/letters/new');
    return 1 if $b->status == 200 && $b->csrf;

    if ($b->status == 303) {
        $b->{csrf} = undef;
        $b->get('/login');
        return 0 if $b->status != 200;
        $b->submit({ national_code => $who->{national_code},
                     password => $who->{password} });
        return 0 if $b->status != 303;
        $b->get('/desk/letters/new');
    }

    return $b->status == 200;
}


sub send_letter {
    my ($b, $letter) = @_;
    my $n = 0;

    my $done = eval {
        $b->post('/desk/letters', {
            submission_key => $letter->{key}, person_kind => 'natural',
            address => 'تهران، خیابان آزادی', subject => $letter->{subject},
            body => "body $letter->{key}", csrf => $b->csrf,
            file => [ map { [ $letter->{files}[$n++]{name}, $_,
                              'image/png' ] } @{ $letter->{bytes} } ] });
        1;
    };

    return { op => 'unknown', status => "$@" } if !$done;
    return { op => 'ok', code => $1 }
        if $b->status == 303 && $b->path =~ /[?&]sent=(\d+)/;

    # what no kill explains: the form was well

    return { op => 'refused', status => $b->status,
             text => substr $b->text, 0, 400 }
        if $b->status =~ /^4/ && $b->status !~ /^(?:401|403|408|429)$/;

    return { op => 'unknown', status => $b->status,
             to => $b->path // '' };
}


# What was sent: key => { person, subject, files, ok => code, answers => [] }.

sub sent {
    my ($self) = @_;
    my %sent;

    for my $file (glob "$self->{history}/*.jsonl") {
        for my $line (map { decode_json($_) }
                      split /\n/, Instance::slurp($file))
        {
            my $l = $sent{$line->{key}} //= { answers => {} };

            if ($line->{op} eq 'invoke') {
                %$l = (%$l, %$line);
                next;
            }

            $l->{answers}{ $line->{op} eq 'ok' ? 'ok' : $line->{status} }++;
            push @{ $l->{refused} }, $line if $line->{op} eq 'refused';
            $l->{ok} = $line->{code} if $line->{op} eq 'ok';
        }
    }

    return \%sent;
}


# When the first letter was acknowledged that was sent after a time.

sub acknowledged_after {
    my ($self, $time) = @_;
    my ($first) = sort { $a <=> $b } grep { $_ > $time } $self->acknowledged;

    return $first;
}


# From a time to the first letter that was acknowledged behind the longest
# pause; 0 when there was no pause of a second.

sub outage {
    my ($self, $from, $to) = @_;
    my @at = grep { $_ >= $from && $_ < $to }
             sort { $a <=> $b } $self->acknowledged, $from;
    my ($end, $most) = (0, 1);

    for my $i (1 .. $#at) {
        my $pause = $at[$i] - $at[$i - 1];

        ($end, $most) = ($at[$i] - $from, $pause) if $pause > $most;
    }

    return $end;
}


sub acknowledged {
    my ($self) = @_;

    return map { /"op":"ok"/ && /"at":([\d.]+)/ ? $1 : () }
           map { split /\n/, Instance::slurp($_) }
           glob "$self->{history}/*.jsonl";
}


sub account {
    my ($self) = @_;
    my $p = $self->{portal};
    my $sent = $self->{sent} = $self->sent;
    my %a = (sent => scalar keys %$sent, acknowledged => 0, lost => 0,
             doubled => 0, half => 0, unanswered => 0,
             unanswered_there => 0, answers => {}, problems => []);
    my %there;

    $self->{account} = \%a;
    push @{ $there{ $_->{subject} } }, $_ for $p->sql(
        'SELECT id, person_id, tracking_code, subject, body, file_count
           FROM letters');

    for my $key (sort keys %$sent) {
        my $l = $sent->{$key};
        my @is = @{ delete $there{ $l->{subject} } // [] };

        $a{answers}{$_} += $l->{answers}{$_} for keys %{ $l->{answers} };
        $self->problem("$key was refused: $_->{status} $_->{text}")
            for @{ $l->{refused} // [] };
        $a{ $l->{ok} ? 'acknowledged' : 'unanswered' }++;
        $a{unanswered_there}++ if !$l->{ok} && @is;

        if (@is > 1) {
            $a{doubled}++;
            $self->problem("$key is there " . @is . ' times');
        }

        if ($l->{ok} && !grep { $_->{tracking_code} eq $l->{ok} } @is) {
            $a{lost}++;
            $self->problem("$key was answered with $l->{ok} and is lost");
        }

        for my $letter (@is) {
            # by again(), with another file
            next if $self->{late}{$key};

            my @wrong = $self->whole($key, $l, $letter) or next;

            $a{half}++;
            $self->problem("$key ($letter->{tracking_code}): "
                           . join ', ', @wrong);
        }
    }

    $self->problem("$_ was never sent") for sort keys %there;
    $self->orphans;
    return \%a;
}


sub problem {
    my ($self, $text) = @_;

    push @{ $self->{account}{problems} }, $text;
}


# All that belongs to one letter.

sub whole {
    my ($self, $key, $sent, $is) = @_;
    my $p = $self->{portal};
    my @wrong;

    my %rows = (
        submission => [ q{SELECT count(*) FROM submissions
            WHERE actor = 'person' AND actor_id = ? AND key = ?
              AND action = 'letter' AND result = ?},
            $is->{person_id}, $key, $is->{tracking_code} ],
        'timeline row' => [ q{SELECT count(*) FROM events
            WHERE letter_id = ? AND kind = 'letter_sent'}, $is->{id} ],
        'audit row' => [ q{SELECT count(*) FROM audit
            WHERE action = 'letter_submitted' AND object_id = ?
              AND actor_id = ?}, $is->{tracking_code}, $is->{person_id} ],
        message => [ q{SELECT count(*) FROM messages
            WHERE letter_id = ? AND template = 'letter_sent'
              AND params ->> 'tracking_code' = ?}, $is->{id},
            $is->{tracking_code} ],
    );

    for my $what (sort keys %rows) {
        my $n = $p->value(@{ $rows{$what} });
        push @wrong, "$n $what(s)" if $n != 1;
    }

    push @wrong, 'another person' if $is->{person_id} != $sent->{person};
    push @wrong, 'another body' if $is->{body} ne "body $key";

    my @files = $p->sql(q{
        SELECT name, encode(sha256, 'hex') AS sha256, size FROM files
         WHERE letter_id = ? AND purpose = 'letter' ORDER BY position, name},
        $is->{id});
    my $line = sub { join '; ', sort map { "$_->{name} $_->{sha256} "
                                           . $_->{size} } @_ };

    push @wrong, 'other files: ' . $line->(@files)
        if $line->(@files) ne $line->(@{ $sent->{files} })
           || $is->{file_count} != @files;

    for my $sha256 (map { $_->{sha256} } @{ $sent->{files} }) {
        push @wrong, "$sha256 is not in the store as it was sent"
            if !$self->stored($sha256);
    }

    return @wrong;
}


sub stored {
    my ($self, $sha256) = @_;
    my $path = sprintf '%s/store/%s/%s/%s', $self->{portal}->dir,
        $sha256 =~ /^(..)(..)/, $sha256;

    return sha256_hex(Instance::slurp($path)) eq $sha256;
}


# Rows that belong to nothing.

sub orphans {
    my ($self) = @_;
    my %none = (
        'files of nothing' => q{SELECT count(*) FROM files
            WHERE purpose = 'letter' AND letter_id IS NULL},
        'submissions of no letter' => q{SELECT count(*) FROM submissions AS s
            WHERE action = 'letter' AND NOT EXISTS (SELECT FROM letters
                WHERE tracking_code = s.result)},
        'audit lines of no letter' => q{SELECT count(*) FROM audit AS a
            WHERE action = 'letter_submitted' AND NOT EXISTS (SELECT
                FROM letters WHERE tracking_code = a.object_id)},
        'messages of no letter' => q{SELECT count(*) FROM messages AS m
            WHERE template = 'letter_sent' AND NOT EXISTS (SELECT
                FROM letters WHERE id = m.letter_id)},
    );

    for my $what (sort keys %none) {
        my $n = $self->{portal}->value($none{$what});
        $self->problem("$n $what") if $n;
    }

    my ($audit) = $self->{portal}->sql(
        'SELECT ok, reason FROM audit_verify(NULL, NULL)');

    $self->problem("the audit is broken: $audit->{reason}") if !$audit->{ok};
}


# Every key once more, by whom it was: the same letter, or now the first.
# Returns the sentences of what went wrong; { again } of account() counts.

sub again {
    my ($self) = @_;
    my $p = $self->{portal};
    my %of;

    push @{ $of{ $self->{sent}{$_}{person} } }, $_
        for sort keys %{ $self->{sent} };
    $self->{account}{again} = 0;

    for my $who (map { @$_ } @{ $self->{persons} }) {
        my $b = $p->browser;

        next if !$of{ $who->{id} };
        wait_until(20, sub { visit($b, $who) })
            or die "person $who->{id} cannot log in\n";

        $self->once_more($b, $_) for @{ $of{ $who->{id} } };
    }
}


sub once_more {
    my ($self, $b, $key) = @_;
    my $p = $self->{portal};
    my $l = $self->{sent}{$key};
    my $before = $p->value('SELECT tracking_code FROM letters
                             WHERE subject = ?', $l->{subject});
    my $png = Portal::Browser::tiny_png($key);

    $self->{late}{$key} = 1 if !defined $before;

    my $answer = send_letter($b, { %$l, bytes => [ $png ] });

    $self->{account}{again}++;

    return $self->problem("$key again: " . encode_json($answer))
        if $answer->{op} ne 'ok';

    $self->problem("$key again: $answer->{code} instead of "
                   . ($before // $l->{ok}))
        if $answer->{code} ne ($before // $answer->{code})
           || $answer->{code} ne ($l->{ok} // $answer->{code});
    $self->problem("$key again made another letter")
        if $p->value('SELECT count(*) FROM letters WHERE subject = ?',
                     $l->{subject}) != 1;
}


1;
