import clinic.ApiClient;
import clinic.api.*;
import clinic.model.*;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import org.springframework.http.ResponseEntity;
import org.springframework.http.client.BufferingClientHttpRequestFactory;
import org.springframework.http.client.HttpComponentsClientHttpRequestFactory;
import org.springframework.http.converter.json.Jackson2ObjectMapperBuilder;
import org.springframework.http.converter.json.MappingJackson2HttpMessageConverter;
import org.springframework.web.client.HttpStatusCodeException;
import org.springframework.web.client.RestTemplate;

/** The story of story.ts, told through the generated Java client. Arguments: the base URL and a picture. */
public final class Story {
  private static int steps = 0;
  /** Leaves out what is not set, and writes dates as text. */
  private static final ObjectMapper JSON = Jackson2ObjectMapperBuilder.json()
      .serializationInclusion(JsonInclude.Include.NON_NULL)
      .featuresToDisable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
      .build();

  private interface Act {
    void run() throws Exception;
  }

  private static void step(String title, Act act) throws Exception {
    steps++;
    try {
      act.run();
    } catch (HttpStatusCodeException error) {
      throw new Exception("step " + steps + " (" + title + "): " + error.getResponseBodyAsString(), error);
    } catch (Exception error) {
      throw new Exception("step " + steps + " (" + title + "): " + error, error);
    }
  }

  private static void must(boolean condition, Object what) {
    if (!condition) throw new IllegalStateException(String.valueOf(what));
  }

  /** The problem that a call is answered; the generator throws what it leaves as text. */
  private static Problem refusal(int status, String type, Callable<?> call) throws Exception {
    Object answer;
    try {
      answer = call.call();
    } catch (HttpStatusCodeException error) {
      byte[] body = error.getResponseBodyAsByteArray();
      Problem problem = JSON.readValue(new String(body, StandardCharsets.UTF_8), Problem.class);
      must(error.getRawStatusCode() == status && problem.getStatus() == status, problem);
      must(("/problems/" + type).equals(problem.getType()), problem.getType());
      if (status == 429) must(Integer.parseInt(error.getResponseHeaders().getFirst("Retry-After")) > 0, "Retry-After");
      return problem;
    }
    throw new IllegalStateException("answered " + answer + ", not " + status);
  }

  private static Registration person(String name, String tag) {
    return new Registration()
        .username(name.toLowerCase() + "-" + tag)
        .firstName(name)
        .lastName("Ashdown-" + tag)
        .email(name.toLowerCase() + "-" + tag + "@mail.example")
        .password("plum-Tractor-91")
        .confirmPassword("plum-Tractor-91");
  }

  private static AppointmentInput booking(Doctor doctor, LocalDate date, long time) {
    return new AppointmentInput()
        .doctor(doctor.getId())
        .appointmentType(AppointmentInput.AppointmentTypeEnum.ONLINE)
        .symptoms("A cough")
        .date(date)
        .time(time);
  }

  public static void main(String[] args) throws Exception {
    String tag = UUID.randomUUID().toString().substring(0, 8);
    RestTemplate template = new RestTemplate();
    template.getMessageConverters().replaceAll(
        each -> each instanceof MappingJackson2HttpMessageConverter ? new MappingJackson2HttpMessageConverter(JSON) : each);
    // The JDK's own requests know no PATCH.
    template.setRequestFactory(new BufferingClientHttpRequestFactory(new HttpComponentsClientHttpRequestFactory()));
    ApiClient client = new ApiClient(template).setBasePath(args[0]);
    UsersApi users = new UsersApi(client);
    DoctorsApi doctors = new DoctorsApi(client);
    AppointmentsApi appointments = new AppointmentsApi(client);
    ReviewsApi reviews = new ReviewsApi(client);
    SpecialisationsApi specialisations = new SpecialisationsApi(client);
    AvailableTimesApi availableTimes = new AvailableTimesApi(client);

    List<Tokens> tokens = new ArrayList<>();
    step("register", () -> {
      for (String name : List.of("Robin", "Maya", "Olu")) tokens.add(users.registerUser(person(name, tag)).getTokens());
    });
    step("a typed 400", () -> {
      Registration wrong = person("Nobody", tag).email("no address");
      Problem problem = refusal(400, "invalid-input", () -> users.registerUser(wrong));
      must(problem.getErrors().get("email").size() > 0, "errors does not name the email");
    });
    step("refresh the token", () -> {
      RefreshToken refresh = new RefreshToken().refresh(tokens.get(0).getRefresh());
      client.setAccessToken(users.refreshToken(refresh).getAccess());
    });

    List<Long> times = new ArrayList<>();
    Specialisation[] specialisation = new Specialisation[1];
    step("look up", () -> {
      specialisation[0] = specialisations.listSpecialisations().get(0);
      for (AvailableTime time : availableTimes.listAvailableTimes(null)) {
        if (time.getStart() != null && times.size() < 3) times.add(time.getId());
      }
    });
    Doctor[] made = new Doctor[1];
    step("upload", () -> {
      List<Long> fields = List.of(specialisation[0].getId());
      String link = "https://meet.example.com/robin";
      made[0] = doctors.createDoctor(new File(args[1]), null, fields, times, 75, link, null, null);
      must(made[0].getFee() == 75 && made[0].getAvailableTime().equals(times), made[0]);
      must(template.getForEntity(made[0].getProfile(), byte[].class).getBody().length > 0, "no picture");
    });
    Doctor doctor = made[0];
    step("filter", () -> {
      DoctorPage page = doctors.listDoctors(
          null, null, null, specialisation[0].getId(), null, null, null, null, 100, null, "-fee", null, null);
      must(page.getResults().stream().anyMatch(each -> each.getId().equals(doctor.getId())), page);
      must(page.getResults().stream().allMatch(each -> each.getFee() <= 100), page);
    });
    step("search", () -> {
      DoctorPage page = doctors.listDoctors(
          null, null, null, null, null, null, null, null, null, "Ashdown-" + tag, null, null, null);
      must(page.getCount() == 1 && page.getResults().get(0).getId().equals(doctor.getId()), page);
    });
    step("pages", () -> {
      Set<Long> seen = new HashSet<>();
      DoctorPage page;
      long number = 1;
      do {
        page = doctors.listDoctors(null, number++, 10, null, null, null, null, null, null, null, "name", null, null);
        for (Doctor each : page.getResults()) seen.add(each.getId());
      } while (page.getNext() != null);
      must(seen.size() == page.getCount() && seen.size() > 10, seen.size());
    });

    client.setAccessToken(tokens.get(1).getAccess());
    LocalDate date = LocalDate.now().plusDays(30);
    Appointment[] booked = new Appointment[1];
    step("book with a key", () -> {
      booked[0] = appointments.createAppointment(booking(doctor, date, times.get(0)), tag);
      must(booked[0].getDate().equals(date), booked[0]);
      must(booked[0].getAppointmentStatus() == Appointment.AppointmentStatusEnum.PENDDING, booked[0]);
    });
    long id = booked[0].getId();
    step("book again with the key", () -> {
      must(appointments.createAppointment(booking(doctor, date, times.get(0)), tag).getId() == id, "another appointment");
      AppointmentInput other = booking(doctor, date, times.get(0)).symptoms("A cold");
      refusal(422, "idempotency-key-reused", () -> appointments.createAppointment(other, tag));
    });
    Slot[] alternative = new Slot[1];
    step("a typed 409 with alternatives", () -> {
      client.setAccessToken(tokens.get(2).getAccess());
      AppointmentInput same = booking(doctor, date, times.get(0));
      Problem problem = refusal(409, "slot-taken", () -> appointments.createAppointment(same, null));
      Slot first = problem.getAlternatives().get(0);
      alternative[0] = problem.getAlternatives().get(1);
      appointments.createAppointment(booking(doctor, first.getDate(), first.getTime()), null);
    });

    client.setAccessToken(tokens.get(1).getAccess());
    String[] etag = new String[1];
    AppointmentPatch there = new AppointmentPatch().date(alternative[0].getDate()).time(alternative[0].getTime());
    step("read with its tag", () -> {
      ResponseEntity<Appointment> answer = appointments.getAppointmentWithHttpInfo(id, null);
      etag[0] = answer.getHeaders().getETag();
      must(etag[0] != null && answer.getBody().getDoctor().equals(doctor.getId()), answer);
    });
    step("move with If-Match", () -> {
      Appointment moved = appointments.updateAppointment(there, id, etag[0], null);
      must(moved.getDate().equals(alternative[0].getDate()), moved);
    });
    step("a typed 412", () -> {
      refusal(412, "precondition-failed", () -> appointments.updateAppointment(there, id, etag[0], null));
    });
    step("filter by words", () -> {
      AppointmentPage page = appointments.listAppointments(
          null, null, null, null, doctor.getId(), null, null, "Pendding", "Online", null, null, null, null, null, null, null, null);
      must(page.getResults().get(0).getId() == id, page);
    });
    step("review with stars", () -> {
      ReviewInput review = new ReviewInput().doctor(doctor.getId()).body("Listens.").rating("⭐⭐⭐⭐");
      must(reviews.createReview(review, null).getRating().equals("⭐⭐⭐⭐"), "other stars");
    });
    step("log out, and a typed 401", () -> {
      RefreshToken refresh = new RefreshToken().refresh(tokens.get(1).getRefresh());
      users.logOut(refresh);
      refusal(401, "not-authenticated", () -> users.refreshToken(refresh));
    });
    step("a typed 429", () -> {
      Credentials wrong = new Credentials().username("nobody-" + tag).password("plum-Tractor-91");
      for (int attempt = 1; attempt <= 10; attempt++) refusal(401, "not-authenticated", () -> users.logIn(wrong));
      refusal(429, "too-many-requests", () -> users.logIn(wrong));
    });
    System.out.println(steps + " steps");
  }
}
