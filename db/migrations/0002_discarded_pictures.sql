-- A picture that a row takes is kept; one that a row lets go is due for removal at once.
CREATE FUNCTION track_picture() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.picture IS NOT NULL AND (TG_OP = 'DELETE' OR NEW.picture IS DISTINCT FROM OLD.picture) THEN
    INSERT INTO discarded_pictures (name) VALUES (OLD.picture)
      ON CONFLICT (name) DO UPDATE SET due_at = now();
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.picture IS NOT NULL THEN
    DELETE FROM discarded_pictures WHERE name = NEW.picture;
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER track_picture AFTER INSERT OR DELETE OR UPDATE OF picture ON doctors
  FOR EACH ROW EXECUTE FUNCTION track_picture();
--> statement-breakpoint
CREATE TRIGGER track_picture AFTER INSERT OR DELETE OR UPDATE OF picture ON patients
  FOR EACH ROW EXECUTE FUNCTION track_picture();
--> statement-breakpoint
CREATE TRIGGER track_picture AFTER INSERT OR DELETE OR UPDATE OF picture ON profiles
  FOR EACH ROW EXECUTE FUNCTION track_picture();
