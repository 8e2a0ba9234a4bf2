<?php
// Talks to fleetctl's overseer, or to systemd, from a daemon written in PHP; copy it as it is.
//
//     $overseer = new Overseen();
//     $overseer->ready();
//     while (true) {
//         if ($task = take_one()) {
//             $overseer->busy($task->id);
//             work($task);
//         } elseif ($overseer->idleSeconds() < $overseer->downAfter) {
//             $overseer->idle();
//             usleep(200000);
//         } elseif ($overseer->maySleep('look_once_more')) {
//             exit(0);
//         }
//     }
//
// Without an overseer (no NOTIFY_SOCKET) nothing is sent, and the daemon never sleeps.

final class Overseen {
    public float $downAfter;
    private string $address;
    private $sock = null;
    private bool $busy = false;
    private float $since;

    public function __construct() {
        $this->address = (string) getenv('NOTIFY_SOCKET');
        $down = getenv('FLEETCTL_DOWN_AFTER');
        $this->downAfter = $down === false ? INF : (float) $down;
        $this->since = microtime(true);
        if ($this->address !== '') {
            $this->open();
        }
    }

    // A message that cannot be sent is lost, and the next one says it again.
    public function tell(string ...$assignments): void {
        if ($this->sock === null) {
            return;
        }
        $message = implode("\n", $assignments);
        if (@fwrite($this->sock, $message) === false) {
            $this->open();
            if ($this->sock !== null) {
                @fwrite($this->sock, $message);
            }
        }
    }

    public function ready(): void {
        $this->tell('READY=1');
    }

    public function busy(string $task = ''): void {
        $this->become(true);
        $this->tell('X_FLEETCTL_STATE=busy', "X_FLEETCTL_TASK=$task", 'WATCHDOG=1');
    }

    public function idle(): void {
        $this->become(false);
        $this->tell('X_FLEETCTL_STATE=idle', 'X_FLEETCTL_TASK=', 'WATCHDOG=1');
    }

    // From the loop that does the work, so that it says so much.
    public function beat(): void {
        $this->tell('WATCHDOG=1');
    }

    public function idleSeconds(): float {
        return $this->busy ? 0.0 : microtime(true) - $this->since;
    }

    // Announce a nap (0: until there is work), THEN look once more: in this order no work is missed.
    public function maySleep(callable $hasWork, float $seconds = 0.0): bool {
        if ($this->sock === null || getenv('FLEETCTL_SLOT') === false) {
            return false;
        }
        $this->tell('X_FLEETCTL_HIBERNATE_USEC=' . (int) round($seconds * 1e6));
        if ($hasWork()) {
            $this->busy();
            return false;
        }
        return true;
    }

    private function open(): void {
        $path = str_starts_with($this->address, '@') ? "\0" . substr($this->address, 1) : $this->address;
        $sock = @stream_socket_client("udg://$path");
        $this->sock = $sock === false ? null : $sock;
    }

    private function become(bool $busy): void {
        if ($busy || $this->busy) {
            $this->since = microtime(true);
        }
        $this->busy = $busy;
    }
}
