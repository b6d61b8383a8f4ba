-- Letters with a scan of 1 MB each, no two alike, from the people in the file
-- that CORR_SENDERS names (cookie, tab, form token).  Sent was only what is
-- answered with 303.

local people = {}
local boundary = "----correspondence"
local jpeg = "\255\216\255\224\0\16JFIF\0\1\1\0\0\1\0\1\0\0"
    .. "\255\192\0\17\8\6\219\4\218\3\1\34\0\2\17\1\3\17\1"
    .. "\255\218\0\12\3\1\0\2\17\3\17\0\63\0"
local head, filling, tail
local n, run = 0, ""

for line in io.lines(os.getenv("CORR_SENDERS")) do
    local cookie, csrf = line:match("^(.-)\t(.*)$")
    people[#people + 1] = { cookie = cookie, csrf = csrf }
end

local function field(name, value)
    return "--" .. boundary .. "\r\nContent-Disposition: form-data; name=\""
           .. name .. "\"\r\n\r\n" .. value .. "\r\n"
end

function setup(thread)
    threads = (threads or 0) + 1
    thread:set("id", threads)
end

function init(args)
    local f = io.open("/dev/urandom", "rb")
    filling = f:read(1048576 - #jpeg - 34):gsub("\255", "\254")
    run = (f:read(8):gsub(".", function(c)
        return string.format("%02x", c:byte())
    end))
    f:close()

    head = field("person_kind", "natural") .. field("address", "تهران")
           .. field("subject", "درخواست") .. field("body", "متن درخواست")
    tail = "\r\n--" .. boundary .. "--\r\n"
end

function request()
    n = n + 1

    local key = string.format("%s%04x%012x", run, id, n)
    local who = people[n % #people + 1]
    local body = head .. field("submission_key", key)
        .. field("csrf", who.csrf) .. "--" .. boundary .. "\r\n"
        .. "Content-Disposition: form-data; name=\"file\"; "
        .. "filename=\"scan.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
        .. jpeg .. key .. filling .. "\255\217" .. tail

    return wrk.format("POST", nil, {
        ["Cookie"] = who.cookie,
        ["Content-Type"] = "multipart/form-data; boundary=" .. boundary
    }, body)
end

function response(status)
    if status ~= 303 then
        refused = (refused or 0) + 1
        if refused <= 3 then
            io.stderr:write("status ", status, "\n")
        end
    end
end

function done(summary, latency)
    local e = summary.errors

    print(string.format("report requests %d", summary.requests))
    print(string.format("report rate %.2f",
                        summary.requests / (summary.duration / 1e6)))
    print(string.format("report bad %d", e.connect + e.read + e.write
                        + e.status + e.timeout))
end
