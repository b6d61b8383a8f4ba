-- wrk's figures, one on a line, for a program to read

function done(summary, latency, requests)
    local e = summary.errors
    local bad = e.connect + e.read + e.write + e.status + e.timeout

    print(string.format("report requests %d", summary.requests))
    print(string.format("report rate %.1f",
                        summary.requests / (summary.duration / 1e6)))
    print(string.format("report p50 %.3f", latency:percentile(50) / 1000))
    print(string.format("report p99 %.3f", latency:percentile(99) / 1000))
    print(string.format("report max %.3f", latency.max / 1000))
    print(string.format("report bytes %d", summary.bytes))
    print(string.format("report bad %d", bad))
end
