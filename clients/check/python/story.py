"""The story of story.ts, told through the generated Python client. Arguments: the base URL and a picture."""

import datetime
import sys
import urllib.request
import uuid

import clinic
from clinic.rest import ApiException

base_url, picture = sys.argv[1:]
configuration = clinic.Configuration()
configuration.host = base_url
client = clinic.ApiClient(configuration)
users = clinic.UsersApi(client)
doctors = clinic.DoctorsApi(client)
appointments = clinic.AppointmentsApi(client)
reviews = clinic.ReviewsApi(client)
tag = uuid.uuid4().hex[:8]
steps = 0


def step(title):
    global steps
    steps += 1
    step.title = f'step {steps} ({title})'


def must(condition, what):
    if not condition:
        sys.exit(f'{step.title}: {what}')


def authorize(access):
    # The generator makes nothing of a bearer token.
    client.set_default_header('Authorization', f'Bearer {access}')


class Answered:
    """What the client reads into a model: the body of an answer."""

    def __init__(self, data):
        self.data = data


def refusal(status, slug, call, *args, **options):
    """The problem that a call is answered; the generator raises what it leaves as text."""
    try:
        answer = call(*args, **options)
    except ApiException as error:
        problem = client.deserialize(Answered(error.body), 'Problem')
        must((error.status, problem.status, problem.type) == (status, status, f'/problems/{slug}'), problem)
        if status == 429:
            must(int(error.headers['Retry-After']) > 0, error.headers)
        return problem
    must(False, f'answered {answer}, not {status}')


def person(name, **other):
    fields = {
        'username': f'{name.lower()}-{tag}',
        'first_name': name,
        'last_name': f'Ashdown-{tag}',
        'email': f'{name.lower()}-{tag}@mail.example',
        'password': 'plum-Tractor-91',
        'confirm_password': 'plum-Tractor-91',
    }
    return clinic.Registration(**{**fields, **other})


def booking(date, time, symptoms='A cough'):
    return clinic.AppointmentInput(
        doctor=doctor.id, appointment_type='Online', symptoms=symptoms, _date=date, time=time
    )


step('register')
tokens = [users.register_user(person(name)).tokens for name in ('Robin', 'Maya', 'Olu')]

step('a typed 400')
problem = refusal(400, 'invalid-input', users.register_user, person('Nobody', email='no address'))
must(problem.errors['email'], problem)

step('refresh the token')
authorize(users.refresh_token(clinic.RefreshToken(tokens[0].refresh)).access)

step('look up')
specialisation = clinic.SpecialisationsApi(client).list_specialisations()[0]
slots = clinic.AvailableTimesApi(client).list_available_times()
times = [slot.id for slot in slots if slot.start is not None][:3]

step('upload')
doctor = doctors.create_doctor(
    profile=picture,
    designation=[],
    specialisation=[specialisation.id],
    available_time=times,
    fee=75,
    meet_link='https://meet.example.com/robin',
)
must(doctor.fee == 75 and doctor.available_time == times, doctor)
must(urllib.request.urlopen(doctor.profile).status == 200, 'no picture')

step('filter')
page = doctors.list_doctors(specialisation=specialisation.id, max_fee=100, ordering='-fee')
must(doctor.id in [each.id for each in page.results], page)
must(all(each.fee <= 100 for each in page.results), page)

step('search')
page = doctors.list_doctors(search=f'Ashdown-{tag}')
must(page.count == 1 and page.results[0].id == doctor.id, page)

step('pages')
seen, number = set(), 1
while True:
    page = doctors.list_doctors(page=number, limits=10, ordering='name')
    seen.update(each.id for each in page.results)
    number += 1
    if page.next is None:
        break
must(len(seen) == page.count > 10, len(seen))

step('book with a key')
authorize(tokens[1].access)
date = datetime.date.today() + datetime.timedelta(days=30)
booked = appointments.create_appointment(booking(date, times[0]), idempotency_key=tag)
must(booked._date == date and booked.appointment_status == 'Pendding', booked)

step('book again with the key')
again = appointments.create_appointment(booking(date, times[0]), idempotency_key=tag)
must(again.id == booked.id, again)
other = booking(date, times[0], symptoms='A cold')
refusal(422, 'idempotency-key-reused', appointments.create_appointment, other, idempotency_key=tag)

step('a typed 409 with alternatives')
authorize(tokens[2].access)
problem = refusal(409, 'slot-taken', appointments.create_appointment, booking(date, times[0]))
first, second = problem.alternatives[:2]
appointments.create_appointment(booking(first._date, first.time))

step('read with its tag')
authorize(tokens[1].access)
appointment, _, headers = appointments.get_appointment_with_http_info(booked.id)
etag = headers['ETag']
must(etag and appointment.doctor == doctor.id, headers)

step('move with If-Match')
there = clinic.AppointmentPatch(_date=second._date, time=second.time)
moved = appointments.update_appointment(there, booked.id, if_match=etag)
must((moved._date, moved.time) == (second._date, second.time), moved)

step('a typed 412')
refusal(412, 'precondition-failed', appointments.update_appointment, there, booked.id, if_match=etag)

step('filter by words')
page = appointments.list_appointments(doctor_id=doctor.id, status='Pendding', type='Online')
must(page.results[0].id == booked.id, page)

step('review with stars')
review = reviews.create_review(clinic.ReviewInput(doctor=doctor.id, body='Listens.', rating='⭐⭐⭐⭐'))
must(review.rating == '⭐⭐⭐⭐' and review.reviewer == 'Maya', review)

step('log out, and a typed 401')
refresh = clinic.RefreshToken(tokens[1].refresh)
users.log_out(refresh)
refusal(401, 'not-authenticated', users.refresh_token, refresh)

step('a typed 429')
wrong = clinic.Credentials(username=f'nobody-{tag}', password='plum-Tractor-91')
for attempt in range(10):
    refusal(401, 'not-authenticated', users.log_in, wrong)
refusal(429, 'too-many-requests', users.log_in, wrong)

print(f'{steps} steps')
