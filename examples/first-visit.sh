#!/usr/bin/env bash
# A first visit: register, log in, look for a doctor, hold a slot, book, move and cancel it, become a doctor with a
# picture, log out. Every call is printed with its real answer, and the first answer that is not as it should be ends the
# script with an error. It needs bash, curl and
# a server:
#
#   npm run demo                                             (in another terminal)
#   bash examples/first-visit.sh [http://localhost:8000]
set -euo pipefail

BASE=${1:-http://localhost:8000}
BASE=${BASE%/}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
access=
refresh=
step=0

fail() {
  printf '\nFAILED: %s\n' "$1" >&2
  exit 1
}

random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# The tokens are shown as the variables that hold them.
show_command() {
  local word
  printf '$ curl'
  for word in "$@"; do
    [ -z "$access" ] || word=${word//"$access"/\$access}
    [ -z "$refresh" ] || word=${word//"$refresh"/\$refresh}
    case $word in
      *\$access* | *\$refresh*) printf ' "%s"' "${word//\"/\\\"}" ;;
      *[!A-Za-z0-9_./:=@-]*) printf " '%s'" "$word" ;;
      *) printf ' %s' "$word" ;;
    esac
  done
  printf '\n'
}

# jq lays the JSON out, where there is one. Of a token the beginning is enough.
show_json() {
  if command -v jq >/dev/null; then jq . "$work/body"; else cat "$work/body" && echo; fi |
    sed -e 's/\("access": *"[^"]\{12\}\)[^"]*/\1.../' -e 's/\("refresh": *"[^"]\{12\}\)[^"]*/\1.../'
}

# call TITLE STATUS [argument of curl]...
call() {
  local title=$1 expected=$2 status type
  shift 2
  step=$((step + 1))
  printf '\n--- %d. %s\n' "$step" "$title"
  show_command "$@"
  curl -sS --max-time 30 -o "$work/body" -w '%{http_code} %{content_type}' "$@" >"$work/head" ||
    fail "there is no answer from $BASE; start a server there with: npm run demo"
  read -r status type <"$work/head" || true
  printf 'HTTP %s, %s\n' "$status" "$type"
  case $type in
    *json*) show_json ;;
    *) printf '(%d bytes)\n' "$(wc -c <"$work/body")" ;;
  esac
  [ "$status" = "$expected" ] || fail "$title: the answer should be $expected"
}

# The first text that a field has in the last answer, or the first one in its list.
text_of() {
  awk -v field="\"$1\"" '
    { rest = rest $0 }
    END {
      while ((at = index(rest, field)) > 0) {
        rest = substr(rest, at + length(field))
        if (match(rest, /^ *: *\[? *"[^"]*"/)) {
          value = substr(rest, 1, RLENGTH - 1)
          sub(/^[^"]*"/, "", value)
          print value
          exit
        }
      }
    }' "$work/body"
}

# The first number that a field has in the last answer.
number_of() {
  grep -o "\"$1\" *: *[0-9]*" "$work/body" | sed -n '1s/.*[: ]//p'
}

# The id of the entry with a name in the list that is the last answer.
id_named() {
  tr '}' '\n' <"$work/body" | sed 's/" *: */":/g' | grep -F "\"name\":\"$1\"" | sed 's/.*"id":\([0-9]*\).*/\1/'
}

# A white cross on green, 96 by 96 pixels.
picture=$work/picture.png
{
  printf '\211PNG\015\012\032\012\000\000\000\015IHDR\000\000\000\140\000\000\000\140\001\003\000\000\000\330V\345\173'
  printf '\000\000\000\006PLTE\037\212\214\377\377\377\013\200\216\043'
  printf '\000\000\000\036IDATx\332c\140\030\206\200\377\377\377\017\043\233\363\037\012F9\244qF\323\3160\003\000\203\3776'
  printf '\330\076\271\134\261\000\000\000\000IEND\256B\140\202'
} >"$picture"

json='Content-Type: application/json'
user=visitor-$(random 4)
password=pass-$(random 6)

call 'Register' 201 "$BASE/api/user/register/" -H "$json" -d "{
  \"username\": \"$user\", \"email\": \"$user@mail.example\", \"first_name\": \"Robin\", \"last_name\": \"Ashdown\",
  \"password\": \"$password\", \"confirm_password\": \"$password\"}"

call 'Log in' 200 "$BASE/api/user/login/" -H "$json" -d "{\"username\": \"$user\", \"password\": \"$password\"}"
refresh=$(text_of refresh)
access=$(text_of access)

call 'List doctors' 200 "$BASE/doctors/?limits=2"
specialisation=$(text_of specialisation)
[ -n "$specialisation" ] || fail 'the first doctors have no specialisation to filter by'

call 'List specialisations' 200 "$BASE/specialisations/"
id=$(id_named "$specialisation")
[ -n "$id" ] || fail "there is no specialisation $specialisation"

call "Filter doctors by $specialisation" 200 "$BASE/doctors/?specialisation=$id&limits=2"

call 'Get the clinic, and what its clock shows' 200 "$BASE/clinic/"

call "Find the soonest free slot of each doctor of $specialisation" 200 \
  "$BASE/availability/?specialisation=$id&per_doctor=true&limits=2"
doctor=$(number_of doctor)
date=$(text_of date)
time=$(number_of time)
[ -n "$doctor" ] || fail "no doctor of $specialisation has a free slot"

call 'Hold it for five minutes' 201 "$BASE/holds/" -H "$json" -d "{\"doctor\": $doctor, \"date\": \"$date\", \"time\": $time}"
hold=$(text_of token)

call 'Book what is held' 201 "$BASE/appointments/" -H "Authorization: Bearer $access" -H "$json" -d "{
  \"hold\": \"$hold\", \"appointment_type\": \"Offline\", \"symptoms\": \"Headache\"}"
appointment=$(number_of id)

call 'List what is still free' 200 "$BASE/doctors/$doctor/availability/?from=$date"
date=$(text_of date)
time=$(number_of time)

call 'Move it there' 200 -X PATCH "$BASE/appointments/$appointment/" -H "Authorization: Bearer $access" -H "$json" \
  -d "{\"date\": \"$date\", \"time\": $time}"

call 'List the appointments of the day, as they come' 200 "$BASE/appointments/?date=$date&ordering=date" \
  -H "Authorization: Bearer $access"

call 'Cancel it' 200 -X PATCH "$BASE/appointments/$appointment/" -H "Authorization: Bearer $access" -H "$json" \
  -d '{"cancel": true}'

call 'Become a doctor, with a picture' 201 "$BASE/doctors/" -H "Authorization: Bearer $access" \
  -F "profile=@$picture" -F "specialisation=$id" -F fee=75 -F meet_link=https://meet.example.com/robin-ashdown
url=$(text_of profile)

call 'Get the picture' 200 "$url"

call 'Refresh the access token' 200 "$BASE/api/user/token/refresh/" -H "$json" -d "{\"refresh\": \"$refresh\"}"
access=$(text_of access)

call 'Log out' 200 "$BASE/api/user/logout/" -H "Authorization: Bearer $access" -H "$json" \
  -d "{\"refresh\": \"$refresh\"}"

call 'The refresh token has ended' 401 "$BASE/api/user/token/refresh/" -H "$json" -d "{\"refresh\": \"$refresh\"}"

printf '\nAll %d answers were as they should be.\n' "$step"
