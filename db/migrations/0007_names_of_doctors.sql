-- A doctor's answer shows the names of designations and specialisations: another name is another state of the doctor, whose
-- version count_version counts up. Here, since names change far more seldom than doctors are read.
CREATE FUNCTION count_doctors_versions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'designations' THEN
    UPDATE doctors SET version = version
      WHERE id IN (SELECT doctor_id FROM doctor_designations WHERE designation_id = NEW.id);
  ELSE
    UPDATE doctors SET version = version
      WHERE id IN (SELECT doctor_id FROM doctor_specialisations WHERE specialisation_id = NEW.id);
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER count_doctors_versions AFTER UPDATE OF name ON designations
  FOR EACH ROW EXECUTE FUNCTION count_doctors_versions();
--> statement-breakpoint
CREATE TRIGGER count_doctors_versions AFTER UPDATE OF name ON specialisations
  FOR EACH ROW EXECUTE FUNCTION count_doctors_versions();
